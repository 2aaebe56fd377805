"""Money in the database, exact on SQLite and PostgreSQL."""

from decimal import Decimal
from typing import Any, Final

from django.db import models
from django.db.models import Q

UNITS: Final = 100_000_000
"""Money units in one unit of the currency: prices are per million tokens and have decimals themselves."""


def to_units(amount: Decimal) -> int:
    return int((amount * UNITS).to_integral_value())


def from_units(units: int) -> Decimal:
    return Decimal(units) / UNITS


def round_to_units(amount: Decimal) -> Decimal:
    return from_units(to_units(amount))


def not_negative(*fields: str) -> Q:
    """The condition of a constraint. Unknown figures fulfil it."""
    return Q(**{f"{name}__gte": 0 for name in fields})


class MoneyField(models.BigIntegerField):  # type: ignore[type-arg]
    """A Decimal with eight places, stored as an integer: SQLite has no decimals, and sums of floats drift.

    In expressions it is an integer: `update(cost=F("cost") + to_units(more))`.
    """

    _pyi_private_set_type: Decimal | int | None  # type: ignore[assignment]
    _pyi_private_get_type: Decimal  # type: ignore[assignment]
    _pyi_lookup_exact_type: Decimal | int  # type: ignore[assignment]

    def from_db_value(self, value: Any, *_: Any) -> Decimal | None:
        return None if value is None else from_units(int(value))

    def to_python(self, value: Any) -> Decimal | None:
        return None if value is None else Decimal(value)

    def get_prep_value(self, value: Any) -> Any:
        return to_units(value) if isinstance(value, Decimal) else super().get_prep_value(value)
