"""JSON that comes back just as it was put in."""

from typing import Any

from django.db import models


class VerbatimJSONField(models.JSONField):
    """A JSONField that keeps the order of keys everywhere: PostgreSQL's usual type, jsonb, sorts them.

    What went over a wire can so be sent again byte for byte. It cannot be compared or searched by key there.
    """

    def db_type(self, connection: Any) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if connection.vendor != "postgresql" or value is None or hasattr(value, "as_sql"):
            return super().get_db_prep_value(value, connection, prepared)
        from psycopg.types.json import Json

        return Json(value)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        # The driver has read it already.
        if connection.vendor == "postgresql":
            return value
        return super().from_db_value(value, expression, connection)
