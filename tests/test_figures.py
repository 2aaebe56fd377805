"""Amounts of money are readable and in the currency of the site."""

from decimal import Decimal
from typing import Any

import pytest
from django.template import engines

from chatsite.values import figures


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("0", "USD", "$0.00"),
        ("12.345", "USD", "$12.34"),
        ("1234567.8", "USD", "$1,234,567.80"),
        ("0.0012", "USD", "$0.0012"),
        ("0.00001", "USD", "under $0.0001"),
        ("8.3", "EUR", "€8.30"),
        ("8.3", "CHF", "CHF\N{NO-BREAK SPACE}8.30"),
        ("1200", "JPY", "¥1,200"),
        ("0.5", "JPY", "¥0.50"),
        ("0.00001", "SEK", "under SEK\N{NO-BREAK SPACE}0.0001"),
    ],
)
def test_an_amount_has_only_significant_digits(amount: str, currency: str, shown: str) -> None:
    assert figures.money(Decimal(amount), currency) == shown


def test_templates_know_the_currency_of_the_site(settings: Any) -> None:
    settings.CURRENCY = "EUR"
    template = engines["django"].from_string("{{ cost|money }}, {{ count|tokens }} tokens, in {% currency %}")
    assert template.render({"cost": Decimal("2.5"), "count": 12_000}) == "€2.50, 12,000 tokens, in EUR"
