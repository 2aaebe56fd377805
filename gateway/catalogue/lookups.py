"""What every request asks the database. The SQL is made once: making it takes ten times as long as the answer."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.db import connection, models
from django.db.models.functions import Now

from accounts.keys import ApiKey, digest_of, is_secret
from gateway.models import models_for
from upstreams.models import ChatModel

_NUMBER: Final = 2**53
_TEXT: Final = "an example"


class Prepared[M: models.Model]:
    """A queryset of which only some values differ from one time to the next.

    `build` makes it out of as many values as there are `examples`, which occur in it nowhere else; `along` names the
    foreign key whose row is fetched with it.
    """

    def __init__(self, build: Callable[..., models.QuerySet[M]], *examples: object, along: str) -> None:
        self._build, self._examples, self._along = build, examples, along
        self._sql = ""

    def first(self, *values: object) -> M | None:
        if not self._sql:
            self._prepare()
        slots = self._slots
        with connection.cursor() as cursor:
            given: list[Any] = [values[slots[at]] if at in slots else it for at, it in enumerate(self._values)]
            cursor.execute(self._sql, given)
            row = cursor.fetchone()
        if row is None:
            return None
        found, other = self._model.instance(row), self._other.instance(row)
        setattr(found, self._along, other)
        return found

    def _prepare(self) -> None:
        queryset = self._build(*self._examples)
        field: Any = queryset.model._meta.get_field(self._along)
        self._model = _Columns(queryset.model, 0)
        self._other = _Columns(field.related_model, len(self._model.names))
        columns = [*self._model.names, *(f"{self._along}__{name}" for name in self._other.names)]
        sql, self._values = queryset.values_list(*columns)[:1].query.sql_with_params()
        examples = self._examples
        self._slots = {at: examples.index(value) for at, value in enumerate(self._values) if value in examples}
        self._sql = sql


class _Columns[M: models.Model]:
    """The columns of one model in a row, from the one at `start`."""

    def __init__(self, model: type[M], start: int) -> None:
        fields = model._meta.concrete_fields
        self._model, self._place = model, slice(start, start + len(fields))
        self.names = [field.attname for field in fields]
        self._converters: list[tuple[int, Any, Any]] = []
        for at, field in enumerate(fields):
            column = field.cached_col
            for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)):
                self._converters.append((at, convert, column))

    def instance(self, row: Sequence[Any]) -> M:
        values = list(row[self._place])
        for at, convert, column in self._converters:
            values[at] = convert(values[at], column, connection)
        return self._model.from_db(connection.alias, self.names, values)


def _named(name: str, key: ApiKey) -> models.QuerySet[ChatModel]:
    return models_for(key).filter(model_id=name).order_by("pk")


_this_moment: Any = Now()
_key = Prepared(lambda digest: ApiKey.objects.valid(_this_moment).filter(digest=digest), _TEXT, along="person")
_of_every_model = Prepared(lambda name: _named(name, ApiKey(every_model=True)), _TEXT, along="provider")
_of_some_models = Prepared(
    lambda name, key: _named(name, ApiKey(pk=key, every_model=False)), _TEXT, _NUMBER, along="provider"
)


def key_shown_by(secret: str) -> ApiKey | None:
    """As ApiKey.objects.shown_by."""
    return _key.first(digest_of(secret)) if is_secret(secret) else None


def model_with_id(name: str, key: ApiKey) -> ChatModel | None:
    """The first of the key's models that has this id."""
    return _of_every_model.first(name) if key.every_model else _of_some_models.first(name, key.pk)
