"""The cost of a call is exact."""

from decimal import Decimal

import pytest

from upstreams.events import Usage
from upstreams.models import ChatModel


def priced(**prices: str) -> ChatModel:
    return ChatModel(**{f"{name}_price": Decimal(price) for name, price in prices.items()})


def test_input_and_output_have_separate_prices():
    model = priced(input="3", output="15")
    assert model.calculate_cost(Usage(input_tokens=1000, output_tokens=200)) == Decimal("0.006")


def test_cached_tokens_have_their_own_price():
    model = priced(input="3", output="15", cache_read="0.3", cache_write="3.75")
    usage = Usage(input_tokens=0, output_tokens=0, cache_read_tokens=1_000_000, cache_write_tokens=2_000_000)
    assert model.calculate_cost(usage) == Decimal("7.8")


def test_cached_tokens_without_a_price_cost_as_much_as_input():
    model = priced(input="2", output="8")
    usage = Usage(input_tokens=1, output_tokens=0, cache_read_tokens=2, cache_write_tokens=3)
    assert model.calculate_cost(usage) == Decimal("0.000012")


def test_a_free_cache_is_free():
    model = priced(input="2", output="8", cache_read="0")
    assert model.calculate_cost(Usage(input_tokens=0, output_tokens=0, cache_read_tokens=5)) == 0


def test_a_model_that_is_free_costs_nothing():
    assert priced(input="0", output="0").calculate_cost(Usage(input_tokens=5, output_tokens=5)) == 0


@pytest.mark.parametrize("prices", [{}, {"input": "1"}, {"output": "1"}])
def test_without_both_prices_the_cost_is_unknown(prices):
    assert priced(**prices).calculate_cost(Usage(input_tokens=5, output_tokens=5)) is None


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=5), Usage(output_tokens=5)])
def test_without_both_figures_the_cost_is_unknown(usage):
    assert priced(input="1", output="1").calculate_cost(usage) is None


def test_a_single_token_is_not_rounded_away():
    assert priced(input="0.05", output="0").calculate_cost(Usage(input_tokens=1, output_tokens=0)) == Decimal(
        "0.00000005"
    )
