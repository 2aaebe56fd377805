"""Comparisons of columns beyond Django's own.

`icontains` ignores accents as well as case, on every database. Comparisons with values that a column cannot hold match
nothing; Django limits only some of them in this way.
"""

import json
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db.models import Field, IntegerField, JSONField, lookups

from chatsite.values.folding import decode_json, fold

LONGEST_PATTERN: Final = 49_000
"""Bytes. SQLite refuses patterns of 50,000."""
_FOLDED: Final = (
    r"replace(replace(lower(regexp_replace(normalize({}, NFD), '[\u0300-\u036F]', '', 'g')), 'ß', 'ss'), 'ς', 'σ')"
)
"""What `folding.fold` does, on PostgreSQL."""
_HALVES: Final = r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F].."
_DECODED: Final = (
    r"CASE WHEN position('\' in {0}) = 0 THEN {0} ELSE "
    rf"unistr(regexp_replace(regexp_replace({{0}}, '\\[^u]', ' ', 'g'), '\\u0000|{_HALVES}', ' ', 'g')) END"
)
"""What `folding.decode_json` does, on PostgreSQL."""


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


class FoldedContains(lookups.IContains):
    """Whether a text, or the text of JSON, contains the words whatever their case and accents."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        if not self.rhs_is_direct_value():
            return super().as_sql(compiler, connection)
        lhs, lhs_params = compiler.compile(self.lhs)
        is_json = isinstance(self.lhs.output_field, JSONField)
        words = decode_json(json.dumps(str(self.rhs), ensure_ascii=False)[1:-1]) if is_json else str(self.rhs)
        if connection.vendor == "sqlite":
            pattern = f"%{connection.ops.prep_for_like_query(fold(words))}%"
            if len(pattern.encode(errors="surrogatepass")) > LONGEST_PATTERN:
                raise EmptyResultSet
            return rf"{'fold_json' if is_json else 'fold'}({lhs}) LIKE %s ESCAPE '\'", (*lhs_params, pattern)
        text = f"({lhs})::text"
        if is_json:
            lhs_params, text = (*lhs_params,) * _DECODED.count("{"), _DECODED.format(text)
        pattern = f"%{connection.ops.prep_for_like_query(words)}%"
        return f"{_FOLDED.format(text)} LIKE {_FOLDED.format('%s::text')}", (*lhs_params, pattern)


class ShortStartsWith(ShortPattern, lookups.StartsWith):
    pass


class ShortIStartsWith(ShortPattern, lookups.IStartsWith):
    pass


def register() -> None:
    IntegerField.register_lookup(IntegerIn)
    for lookup in (ShortIExact, ShortContains, FoldedContains, ShortStartsWith, ShortIStartsWith):
        Field.register_lookup(lookup)
    JSONField.register_lookup(FoldedContains)
