"""Sums of money in the database, exact on every engine."""

from decimal import Decimal
from typing import Any, Final

from django.db import models

UNITS: Final = 100_000_000
"""The smallest part that is kept: prices are per million tokens, and have their own decimals."""


def units(amount: Decimal) -> int:
    return int((amount * UNITS).to_integral_value())


def amount(units: int) -> Decimal:
    return Decimal(units) / UNITS


class MoneyField(models.BigIntegerField):  # type: ignore[type-arg]
    """A Decimal of eight places, kept as an integer: SQLite has no decimals, and would add up fractions that drift.

    In expressions it is an integer: `update(cost=F("cost") + units(more))`.
    """

    _pyi_private_set_type: Decimal | int | None  # type: ignore[assignment]
    _pyi_private_get_type: Decimal  # type: ignore[assignment]
    _pyi_lookup_exact_type: Decimal | int  # type: ignore[assignment]

    def from_db_value(self, value: Any, *_: Any) -> Decimal | None:
        return None if value is None else amount(int(value))

    def to_python(self, value: Any) -> Decimal | None:
        return None if value is None else Decimal(value)

    def get_prep_value(self, value: Any) -> Any:
        return units(value) if isinstance(value, Decimal) else super().get_prep_value(value)
