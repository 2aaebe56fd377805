"""SQL that is built once and run often: written by hand, or taken from a queryset.

Reason: on the busiest paths the ORM takes longer to build a statement than the database to run it. Processor time on
SQLite, by these classes and by the ORM, in µs: insert an entry 41 and 195, settle it 19 and 157, reserve from a budget
10 and 221, add to two usage sums 39 and 1,352, find the budgets of a call 33 and 694, an API key 50 and 623, a model
154 and 1,477, save the blocks of 50 messages 445 and 5,279.
Price: only tests check these statements against the models. So they are few, and take columns and conversions from
the models. Everything else belongs to the ORM.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from django.db import connection, models

_UNCONVERTED: Final = (
    *(models.BigIntegerField, models.IntegerField, models.PositiveIntegerField, models.ForeignKey),
    *(models.CharField, models.TextField, models.BooleanField, models.FloatField),
)
"""Fields whose values every database accepts unchanged."""


class Statement:
    """SQL written by hand, for SQLite and PostgreSQL alike.

    `fields` convert the values to what the database takes, one for each placeholder; None passes a value on as it is.
    Without any fields all values are passed on.
    """

    def __init__(self, sql: str, fields: Sequence[Any] = ()) -> None:
        self.sql = sql
        self._fields = [(at, field) for at, field in enumerate(fields) if field and type(field) not in _UNCONVERTED]

    def execute(self, *values: Any) -> int:
        """Returns the number of changed rows."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self._convert(values))
            changed: int = cursor.rowcount
            return changed

    def execute_many(self, rows: Iterable[Sequence[Any]]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(self.sql, [self._convert(row) for row in rows])

    def fetch_one(self, *values: Any) -> Sequence[Any] | None:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self._convert(values))
            row: Sequence[Any] | None = cursor.fetchone()
            return row

    def _convert(self, values: Sequence[Any]) -> Sequence[Any]:
        if not self._fields:
            return values
        converted = list(values)
        for at, field in self._fields:
            converted[at] = field.get_db_prep_save(converted[at], connection)
        return converted


class RowQuery[M: models.Model]:
    """Rows of a model by hand-written SQL, which begins with `select_columns` of the model.

    Each further column becomes the attribute that `extra` names. Unlike `Manager.raw` it costs next to nothing when
    there are no rows.
    """

    def __init__(self, model: type[M], sql: str, *extra: str) -> None:
        self._model, self._sql, self._extra = model, sql, extra

    def fetch(self, parameters: Mapping[str, Any]) -> list[M]:
        with connection.cursor() as cursor:
            cursor.execute(self._sql, parameters)
            rows = cursor.fetchall()
        return [self._instance(row) for row in rows]

    @cached_property
    def _columns(self) -> "_Columns[M]":
        return _Columns(self._model, start=0)

    def _instance(self, row: Sequence[Any]) -> M:
        found = self._columns.instance(row)
        for name, value in zip(self._extra, row[len(self._columns.names) :], strict=True):
            setattr(found, name, value)
        return found


def select_columns(model: type[models.Model], alias: str) -> str:
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


class PreparedQuery[M: models.Model]:
    """The first row of a queryset, and its `related` row, by SQL that the ORM builds only once.

    The rules in the queryset thus stay in one place. `build` makes it from as many values as there are `examples`,
    which must not occur in it otherwise: later values take their places.
    """

    def __init__(self, build: Callable[..., models.QuerySet[M]], *examples: object, related: str) -> None:
        self._build, self._examples, self._related = build, examples, related
        self._sql = ""

    def first(self, *values: object) -> M | None:
        if not self._sql:
            self._prepare()
        parameters = list(self._parameters)
        for position, number in self._slots:
            parameters[position] = values[number]
        with connection.cursor() as cursor:
            cursor.execute(self._sql, parameters)
            row = cursor.fetchone()
        if row is None:
            return None
        found = self._columns.instance(row)
        setattr(found, self._related, self._related_columns.instance(row))
        return found

    def _prepare(self) -> None:
        queryset = self._build(*self._examples)
        field: Any = queryset.model._meta.get_field(self._related)
        self._columns = _Columns(queryset.model, start=0)
        self._related_columns = _Columns(field.related_model, start=len(self._columns.names))
        names = [*self._columns.names, *(f"{self._related}__{name}" for name in self._related_columns.names)]
        sql, self._parameters = queryset.values_list(*names)[:1].query.sql_with_params()
        numbers = {example: number for number, example in enumerate(self._examples)}
        self._slots = [(at, numbers[value]) for at, value in enumerate(self._parameters) if value in numbers]
        self._sql = sql


class _Columns[M: models.Model]:
    """The columns of one model in a row, which begin at `start`."""

    def __init__(self, model: type[M], *, start: int) -> None:
        fields = model._meta.concrete_fields
        self._model, self._slice = model, slice(start, start + len(fields))
        self.names = [field.attname for field in fields]
        self._converters: list[tuple[int, Any, Any]] = []
        for position, field in enumerate(fields):
            column = field.cached_col
            for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)):
                self._converters.append((position, convert, column))

    def instance(self, row: Sequence[Any]) -> M:
        values = list(row[self._slice])
        for position, convert, column in self._converters:
            values[position] = convert(values[position], column, connection)
        return self._model.from_db(connection.alias, self.names, values)
