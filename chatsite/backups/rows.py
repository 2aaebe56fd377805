"""Rows as lines of text, in the format of PostgreSQL's COPY: tabs between the columns, and `\\N` for NULL.

A line has the values as the database stores them. Two databases that print the same value in different ways have the
same digest: it is computed over a canonical form.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Context
from typing import Any, Final

from chatsite.backups.schema import Column, ColumnKind, Table

NULL: Final = rb"\N"
_ESCAPES: Final = {
    **{b"\\": rb"\\", b"\t": rb"\t", b"\n": rb"\n", b"\r": rb"\r"},
    **{b"\b": rb"\b", b"\f": rb"\f", b"\v": rb"\v"},
}
_CHARACTERS: Final = {escape: character for character, escape in _ESCAPES.items()}
_SPECIAL: Final = re.compile(rb"[\\\t\n\r\b\f\v]")
_ESCAPED: Final = re.compile(rb"\\[\\tnrbfv]")
_EXACT: Final = Context(prec=200_000)
"""More digits than PostgreSQL stores."""
_UNSTORABLE_IN_JSON: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def escape(value: bytes) -> bytes:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], value)


def unescape(field: bytes) -> bytes | None:
    if field == NULL:
        return None
    return _ESCAPED.sub(lambda found: _CHARACTERS[found[0]], field) if b"\\" in field else field


def join(fields: Iterable[bytes]) -> bytes:
    return b"\t".join(fields) + b"\n"


def split(line: bytes) -> list[bytes]:
    return line.removesuffix(b"\n").split(b"\t")


# ---------------------------------------------------------------- comparing


class Digest:
    """Counts the rows of a table, and computes the digest of all values in their canonical form."""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self._sum = hashlib.sha256()
        # Only these kinds have more than one form.
        varying = (ColumnKind.FLOAT, ColumnKind.JSON)
        self._varying = [(at, column.kind) for at, column in enumerate(table.columns) if column.kind in varying]

    def add(self, line: bytes) -> None:
        self.rows += 1
        self._sum.update(self.canonicalise(line) if self._varying else line)

    def canonicalise(self, line: bytes) -> bytes:
        if not line:
            return line
        fields = split(line)
        for at, kind in self._varying:
            fields[at] = canonicalise(fields[at], kind)
        return join(fields)

    def watch(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Adds each line that passes."""
        for line in lines:
            self.add(line)
            yield line

    @property
    def value(self) -> str:
        return self._sum.hexdigest()


def canonicalise(field: bytes, kind: ColumnKind) -> bytes:
    """The same bytes for the same value. What is not a value of this kind stays as it is."""
    value = unescape(field)
    if value is None:
        return field
    with suppress(ValueError, RecursionError):
        if kind == ColumnKind.FLOAT:
            return repr(float(value)).encode()
        parsed = json.loads(value, parse_int=_read_number, parse_float=_read_number)
        return json.dumps(parsed, sort_keys=True).encode()
    return field


def _read_number(text: str) -> dict[str, str]:
    """PostgreSQL writes 1e2 as 100, and knows no negative zero."""
    number = _EXACT.create_decimal(text).normalize(_EXACT)
    return {"number": str(number) if number else "0"}


# ---------------------------------------------------------------- text that PostgreSQL refuses


@dataclass(frozen=True, slots=True)
class Mend:
    """A text in which characters that PostgreSQL cannot store were replaced."""

    table: str
    key: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}, row {self.key}, column {self.column}"


def mend(table: Table, lines: Iterable[bytes], mends: list[Mend]) -> Iterator[bytes]:
    """Replaces NUL, lone surrogates and invalid UTF-8 by U+FFFD, and adds each text so changed to `mends`."""
    has_json = any(column.kind == ColumnKind.JSON for column in table.columns)
    for line in lines:
        if is_storable(line, has_json=has_json):
            yield line
            continue
        old = split(line)
        new = [mend_field(field, column) for field, column in zip(old, table.columns, strict=True)]
        key = new[table.columns.index(table.key)].decode()
        mends += [
            Mend(table.name, key, column.name)
            for column, before, after in zip(table.columns, old, new, strict=True)
            if before != after
        ]
        yield join(new)


def is_storable(line: bytes, *, has_json: bool) -> bool:
    if b"\0" in line or (has_json and _UNSTORABLE_IN_JSON.search(line)):
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def mend_field(field: bytes, column: Column) -> bytes:
    value = unescape(field)
    if value is None:
        return field
    text = mend_text(value.decode("utf-8", "surrogateescape"))
    if column.kind == ColumnKind.JSON and _UNSTORABLE_IN_JSON.search(value):
        with suppress(ValueError, RecursionError):
            parsed = json.loads(text)
            mended = mend_json(parsed)
            text = text if mended == parsed else json.dumps(mended, ensure_ascii=False)
    return escape(text.encode())


def mend_json(value: Any) -> Any:
    match value:
        case str():
            return mend_text(value)
        case list():
            return [mend_json(each) for each in value]
        case dict():
            return {mend_text(name): mend_json(each) for name, each in value.items()}
    return value


def mend_text(text: str) -> str:
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return joined.replace("\0", "\ufffd")
