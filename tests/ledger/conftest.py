"""A model with round prices, and budgets by hand."""

from decimal import Decimal

import pytest

from tests.ledger.calling import model_with
from upstreams.models import ChatModel


@pytest.fixture
def model(db: None) -> ChatModel:
    """A token read costs a millionth, one written ten: a thousand of each are 0.011."""
    return model_with(input_price=Decimal(1), output_price=Decimal(10))
