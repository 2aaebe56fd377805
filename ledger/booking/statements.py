"""Hand-written SQL for the statements that every model call runs (see chatsite.sql for the reason)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from chatsite.sql import RowQuery, Statement, select_columns
from ledger.models import Budget, Entry, Period, RateLimit, Spending, UsageSum
from ledger.models.usage_sum import KEY_FIELDS, NAME_FIELDS, SUMMED_FIELDS
from ledger.payer import Payer
from upstreams.models import USAGE_FIELDS

NOBODY: Final = -1
"""Stands in for a missing key of a payer; no row has it."""
NO_LIMIT: Final = 2**63 - 1
LARGEST: Final = 2**60
"""Sums stop here, far above any budget: SQLite would turn one that overflows into a float, PostgreSQL refuse it."""
SETTLED_FIELDS: Final = (
    *USAGE_FIELDS,
    *("is_estimate", "cost", "upstream_id", "outcome", "error_kind", "seconds_to_first", "seconds"),
)


def _applies_to_payer(row: str, *scopes: str) -> str:
    """The SQL condition for rows that apply to the payer: the payer's own, and per-subject defaults."""
    return " OR ".join(
        f"({row}.scope = '{scope}' AND %({scope})s > 0"
        f" AND ({row}.{scope}_id IS NULL OR {row}.{scope}_id = %({scope})s))"
        for scope in scopes
    )


def _add(column: str, amount: str) -> str:
    """The SQL expression for a sum that stops at LARGEST. The amount occurs twice."""
    return f"CASE WHEN {column} > {LARGEST} - {amount} THEN {LARGEST} ELSE {column} + {amount} END"


def _placeholders(names: tuple[Any, ...]) -> str:
    return ", ".join(["%s"] * len(names))


_ENTRY: Final = Entry._meta.db_table
_SPENDING: Final = Spending._meta.db_table
_SUM: Final = UsageSum._meta.db_table
_SUM_COLUMNS: Final = (*KEY_FIELDS, *NAME_FIELDS, *SUMMED_FIELDS)
_ENTRY_FIELDS: Final[tuple[Any, ...]] = tuple(field for field in Entry._meta.concrete_fields if not field.primary_key)

# ruff: disable[S608]
RATE_LIMITS: Final = RowQuery(
    RateLimit,
    f"SELECT {select_columns(RateLimit, 'l')} FROM {RateLimit._meta.db_table} l"
    f" WHERE {_applies_to_payer('l', 'person', 'key')} ORDER BY l.id",
)
BUDGETS: Final = RowQuery(
    Budget,
    f"""
SELECT {select_columns(Budget, "b")}, s.id FROM {Budget._meta.db_table} b
LEFT JOIN {_SPENDING} s ON s.budget_id = b.id AND s.revision = b.revision
AND s.start = CASE b.period WHEN 'day' THEN %(day)s ELSE %(month)s END
AND s.subject = CASE b.scope WHEN 'site' THEN 0 WHEN 'group' THEN %(group)s WHEN 'person' THEN %(person)s
ELSE %(key)s END
WHERE b.is_active AND (b.scope = 'site' OR {_applies_to_payer("b", "group", "person", "key")}) ORDER BY s.id, b.id
""",
    "spending_pk",
)
RESERVE: Final = Statement(f"UPDATE {_SPENDING} SET reserved = reserved + %s WHERE id = %s AND spent + reserved < %s")
SPEND: Final = Statement(
    f"UPDATE {_SPENDING} SET spent = {_add('spent', '%s')}, reserved = reserved - %s WHERE id = %s AND reserved >= %s"
)
INSERT_ENTRY: Final = Statement(
    f"INSERT INTO {_ENTRY} ({', '.join(field.column for field in _ENTRY_FIELDS)})"
    f" VALUES ({_placeholders(_ENTRY_FIELDS)}) RETURNING id",
    _ENTRY_FIELDS,
)
UPDATE_OPEN_ENTRY: Final = Statement(
    f"UPDATE {_ENTRY} SET {', '.join(f'{name} = %s' for name in SETTLED_FIELDS)} WHERE id = %s AND outcome = 'open'",
    [*(Entry._meta.get_field(name) for name in SETTLED_FIELDS), None],
)
UPSERT_USAGE_SUMS: Final = Statement(
    f"""
INSERT INTO {_SUM} ({", ".join(_SUM_COLUMNS)}) VALUES {", ".join([f"({_placeholders(_SUM_COLUMNS)})"] * len(Period))}
ON CONFLICT ({", ".join(KEY_FIELDS)}) DO UPDATE SET
{", ".join(f"{name} = excluded.{name}" for name in NAME_FIELDS)},
{", ".join(f"{name} = {_add(f'{_SUM}.{name}', f'excluded.{name}')}" for name in SUMMED_FIELDS)}
""",
    [UsageSum._meta.get_field(name) for name in _SUM_COLUMNS] * len(Period),
)
# ruff: enable[S608]


def find_rate_limits(payer: Payer) -> list[RateLimit]:
    return RATE_LIMITS.fetch(_subjects(payer))


def find_budgets(payer: Payer, at: datetime) -> list[Budget]:
    """Each budget has its `spending_pk`, None if it has no row yet. Every call must lock the rows in this order."""
    starts = {period.value: connection.ops.adapt_datefield_value(period.start(at)) for period in Period}
    return BUDGETS.fetch(_subjects(payer) | starts)


def reserve(spending_pk: int, amount: int, limit: int | None) -> bool:
    """Adds the amount to the reservations unless the limit is reached. Returns whether it did."""
    # One statement: no other call can take the rest between the condition and the change.
    return RESERVE.execute(amount, spending_pk, NO_LIMIT if limit is None else limit) == 1


def spend(spending_pk: int, amount: int, reserved: int) -> bool:
    """Replaces a reservation with the amount that was spent. Returns False if the row does not contain it."""
    return SPEND.execute(amount, amount, reserved, spending_pk, reserved) == 1


def insert_entry(entry: Entry) -> None:
    row = INSERT_ENTRY.fetch_one(*(getattr(entry, field.attname) for field in _ENTRY_FIELDS))
    assert row is not None
    entry.pk = row[0]
    entry._state.adding, entry._state.db = False, connection.alias


def update_open_entry(entry: Entry) -> bool:
    """Writes only the settled fields: rows that the entry refers to may be gone. Returns whether it was open.

    A concurrent transaction that settles the same entry waits here and then finds it settled.
    """
    return UPDATE_OPEN_ENTRY.execute(*(getattr(entry, name) for name in SETTLED_FIELDS), entry.pk) == 1


def upsert_usage_sums(figures: Mapping[str, Any], starts: Mapping[Period, date]) -> None:
    """Adds the figures to the sum of each period, in the row that has their key."""
    rows = [{**figures, "span": period.value, "start": start} for period, start in starts.items()]
    UPSERT_USAGE_SUMS.execute(*(row[name] for row in rows for name in _SUM_COLUMNS))


def _subjects(payer: Payer) -> dict[str, Any]:
    return {scope: payer[scope] or NOBODY for scope in ("person", "group", "key")}
