"""A model with round prices, and budgets by hand."""

from decimal import Decimal

import pytest

from tests.ledger.calling import make_model
from upstreams.models import ChatModel


@pytest.fixture
def model(db: None) -> ChatModel:
    """Input costs a millionth a token and output ten: a thousand tokens of each cost 0.011."""
    return make_model(input_price=Decimal(1), output_price=Decimal(10))
