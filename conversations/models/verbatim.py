"""JSON that comes back exactly as it was stored."""

from typing import Any

from django.db import models


class VerbatimJSONField(models.JSONField):
    """A JSONField that keeps the order of keys on PostgreSQL too, where the usual type, jsonb, sorts them.

    Blocks can be sent upstream again byte for byte. In return, PostgreSQL cannot compare or search the field.
    """

    def db_type(self, connection: Any) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if connection.vendor != "postgresql" or value is None or hasattr(value, "as_sql"):
            return super().get_db_prep_value(value, connection, prepared)
        from psycopg.types.json import Json

        return Json(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        # The driver has parsed it already.
        if connection.vendor == "postgresql":
            return value
        return super().from_db_value(value, expression, connection)
