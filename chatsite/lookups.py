"""Comparisons with values that a column cannot hold match nothing. Django limits only some comparisons in this way."""

from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db.models import Field, IntegerField, lookups

LONGEST_PATTERN: Final = 49_000
"""Bytes. SQLite refuses patterns of 50,000."""


class IntegerIn(lookups.In):
    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        if self.rhs_is_direct_value():
            low, high = connection.ops.integer_field_range(self.lhs.output_field.get_internal_type())
            self.rhs = [value for value in self.rhs if not isinstance(value, int) or low <= value <= high]
        return super().process_rhs(compiler, connection)


class ShortPattern:
    """Finds nothing for a text that is too long for SQLite to look for."""

    rhs: Any

    def process_rhs(self, compiler: Any, connection: Any) -> Any:
        if connection.vendor == "sqlite" and isinstance(self.rhs, str):
            pattern = connection.ops.prep_for_like_query(self.rhs)
            if len(pattern.encode(errors="surrogatepass")) > LONGEST_PATTERN:
                raise EmptyResultSet
        return super().process_rhs(compiler, connection)  # type: ignore[misc]


class ShortIExact(ShortPattern, lookups.IExact):
    pass


class ShortContains(ShortPattern, lookups.Contains):
    pass


class ShortIContains(ShortPattern, lookups.IContains):
    pass


class ShortStartsWith(ShortPattern, lookups.StartsWith):
    pass


class ShortIStartsWith(ShortPattern, lookups.IStartsWith):
    pass


def register() -> None:
    IntegerField.register_lookup(IntegerIn)
    for lookup in (ShortIExact, ShortContains, ShortIContains, ShortStartsWith, ShortIStartsWith):
        Field.register_lookup(lookup)
