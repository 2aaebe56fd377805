"""The statements of a call's way through the ledger, written out.

Every call of a model passes here twice, and the ORM would take longer to spell these than the database to run them.
They are the same for SQLite and Postgres.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from ledger.models import Budget, Entry, Period, RateLimit, Spending, UsageSum
from ledger.models.usage_sum import SUMMED_FIELDS
from ledger.payer import Payer

NOBODY: Final = -1
"""The key of a payer who is not there; nothing has it."""
NO_LIMIT: Final = 2**63 - 1


def of_payer(row: str, *scopes: str) -> str:
    """The condition of what is for the payer, or for each."""
    return " OR ".join(
        f"({row}.scope = '{scope}' AND %({scope})s > 0"
        f" AND ({row}.{scope}_id IS NULL OR {row}.{scope}_id = %({scope})s))"
        for scope in scopes
    )


RATE_LIMITS: Final = f"""
SELECT l.* FROM {RateLimit._meta.db_table} l WHERE {of_payer("l", "person", "key")} ORDER BY l.id
"""  # noqa: S608

BUDGETS: Final = f"""
SELECT b.*, s.id AS spending_pk FROM {Budget._meta.db_table} b
LEFT JOIN {Spending._meta.db_table} s ON s.budget_id = b.id AND s.revision = b.revision
AND s.start = CASE b.period WHEN 'day' THEN %(day)s ELSE %(month)s END
AND s.subject = CASE b.scope WHEN 'site' THEN 0 WHEN 'group' THEN %(group)s WHEN 'person' THEN %(person)s
ELSE %(key)s END
WHERE b.is_active AND (b.scope = 'site' OR {of_payer("b", "group", "person", "key")}) ORDER BY s.id, b.id
"""  # noqa: S608

RESERVE: Final = f"""
UPDATE {Spending._meta.db_table} SET reserved = reserved + %s WHERE id = %s AND spent + reserved < %s
"""  # noqa: S608

SPEND: Final = f"""
UPDATE {Spending._meta.db_table}
SET spent = spent + %s, reserved = CASE WHEN reserved > %s THEN reserved - %s ELSE 0 END WHERE id = %s
"""  # noqa: S608

HOLD: Final = f"SELECT id FROM {Entry._meta.db_table} WHERE id = %s AND outcome = 'open'"  # noqa: S608

_BEGUN: Final[list[Any]] = [field for field in Entry._meta.concrete_fields if not field.primary_key]
BEGIN: Final = f"""
INSERT INTO {Entry._meta.db_table} ({", ".join(field.column for field in _BEGUN)})
VALUES ({", ".join(["%s"] * len(_BEGUN))}) RETURNING id
"""  # noqa: S608

KIND: Final = ("span", "start", "person_pk", "key_pk", "group_pk", "model_pk", "source")
NAMES: Final = ("person_name", "key_name", "group_name", "model_name", "provider_name")

_SUM: Final = UsageSum._meta.db_table
ADD: Final = f"""
INSERT INTO {_SUM} ({", ".join((*KIND, *NAMES, *SUMMED_FIELDS))})
VALUES ({", ".join(["%s"] * len((*KIND, *NAMES, *SUMMED_FIELDS)))})
ON CONFLICT ({", ".join(KIND)}) DO UPDATE SET
{", ".join(f"{name} = excluded.{name}" for name in NAMES)},
{", ".join(f"{name} = {_SUM}.{name} + excluded.{name}" for name in SUMMED_FIELDS)}
"""  # noqa: S608


def rate_limits(payer: Payer) -> list[RateLimit]:
    return list(RateLimit.objects.raw(RATE_LIMITS, subjects(payer)))


def budgets(payer: Payer, at: datetime) -> list[Budget]:
    """Each with `spending_pk`, None where its row is not made yet; in the order in which everybody takes the rows."""
    starts = {period.value: dated(period.start(at)) for period in Period}
    return list(Budget.objects.raw(BUDGETS, subjects(payer) | starts))


def reserve(spending: int, amount: int, limit: int | None) -> bool:
    """Adds to what is reserved, unless the limit is reached; whether it did."""
    # One statement: between the condition and the change no other call can take what is left.
    return run(RESERVE, amount, spending, NO_LIMIT if limit is None else limit) == 1


def spend(spending: int, amount: int, held: int) -> None:
    run(SPEND, amount, held, held, spending)


def begin(entry: Entry) -> None:
    """Saves an entry for the first time."""
    values = [field.get_db_prep_save(getattr(entry, field.attname), connection) for field in _BEGUN]
    with connection.cursor() as cursor:
        cursor.execute(BEGIN, values)
        [entry.pk] = cursor.fetchone()
    entry._state.adding, entry._state.db = False, connection.alias


def hold(entry: int) -> bool:
    """Whether it is open, and nobody else settles it before this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD + (" FOR UPDATE" if connection.features.has_select_for_update else ""), [entry])
        return cursor.fetchone() is not None


def change(entry: int, values: Mapping[str, Any]) -> None:
    fields: list[Any] = [Entry._meta.get_field(name) for name in values]
    columns = ", ".join(f"{field.column} = %s" for field in fields)
    prepared = [field.get_db_prep_save(value, connection) for field, value in zip(fields, values.values(), strict=True)]
    run(f"UPDATE {Entry._meta.db_table} SET {columns} WHERE id = %s", *prepared, entry)  # noqa: S608


def add(values: Mapping[str, Any]) -> None:
    """To the sum of its kind, which is made if there is none."""
    run(ADD, *(values[name] for name in (*KIND, *NAMES, *SUMMED_FIELDS)))


def subjects(payer: Payer) -> dict[str, Any]:
    return {scope: payer[scope] or NOBODY for scope in ("person", "group", "key")}


def dated(day: date) -> Any:
    """As the database takes it."""
    return connection.ops.adapt_datefield_value(day)


def run(statement: str, *values: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        changed: int = cursor.rowcount
        return changed
