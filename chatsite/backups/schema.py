"""Which tables a site has after given migrations, and what their columns contain, whatever the database."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from conversations.models.verbatim import VerbatimJSONField


class ColumnKind(StrEnum):
    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    FLOAT = "float"
    DECIMAL = "decimal"
    MOMENT = "moment"
    DATE = "date"
    UUID = "uuid"
    JSON = "json"
    """JSON of which PostgreSQL keeps the values only, not the order of keys nor the white space."""


KINDS: Final = {
    **dict.fromkeys(("CharField", "TextField"), ColumnKind.TEXT),
    **dict.fromkeys(("AutoField", "BigAutoField", "IntegerField", "BigIntegerField"), ColumnKind.INTEGER),
    **dict.fromkeys(("PositiveIntegerField", "PositiveSmallIntegerField", "SmallIntegerField"), ColumnKind.INTEGER),
    **dict.fromkeys(("PositiveBigIntegerField", "SmallAutoField"), ColumnKind.INTEGER),
    **dict.fromkeys(("EmailField", "SlugField", "URLField"), ColumnKind.TEXT),
    "BooleanField": ColumnKind.BOOLEAN,
    "FloatField": ColumnKind.FLOAT,
    "DecimalField": ColumnKind.DECIMAL,
    "DateTimeField": ColumnKind.MOMENT,
    "DateField": ColumnKind.DATE,
    "UUIDField": ColumnKind.UUID,
    "JSONField": ColumnKind.JSON,
}
"""By Django's internal type of the field."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: ColumnKind
    places: int = 0
    """Digits after the decimal point, of a decimal."""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    """In the order of their names."""
    key: Column
    """The primary key. Rows are read in its order."""
    has_numbers: bool
    """Whether the database numbers the rows."""

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]


def describe_tables(migrations: Collection[str]) -> list[Table]:
    """The tables that these migrations create, as `app.name`, in the order of their names."""
    loader = MigrationLoader(None)
    state = loader.project_state([node for node in loader.graph.nodes if ".".join(node) in migrations])
    models: list[Any] = [*state.apps.get_models(include_auto_created=True), MigrationRecorder.Migration]
    managed = [model for model in models if model._meta.managed and not model._meta.proxy]
    return sorted((describe_table(model) for model in managed), key=lambda table: table.name)


def describe_table(model: Any) -> Table:
    fields = sorted(model._meta.local_concrete_fields, key=lambda field: field.column)
    columns = {field: describe_column(field) for field in fields}
    key = model._meta.pk
    is_numbered = key.get_internal_type().endswith("AutoField")
    return Table(model._meta.db_table, tuple(columns.values()), columns[key], is_numbered)


def describe_column(field: Any) -> Column:
    target = field
    while target.remote_field:
        target = target.target_field
    kind = ColumnKind.TEXT if isinstance(target, VerbatimJSONField) else KINDS[target.get_internal_type()]
    return Column(field.column, kind, target.decimal_places if kind == ColumnKind.DECIMAL else 0)
