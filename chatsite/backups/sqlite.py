"""Reads all rows of an SQLite database as lines, and fills one with them."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, Final, Self
from uuid import UUID

from chatsite.backups.archive import BackupFault
from chatsite.backups.rows import NULL, escape, join, split, unescape
from chatsite.backups.schema import Column, ColumnKind, Table

_DIGITS: Final = Context(prec=15)
"""What a float keeps of a decimal. Django reads decimals of SQLite in this way."""
_MOMENT: Final = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,6}))?")
_NUMBER: Final = re.compile(rb"-?(?:[\d.]+(?:e[+-]?\d+)?|inf|Infinity)")
_UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ZONED_MOMENT: Final = re.compile(_MOMENT.pattern + rb"\+00")


class SqliteReader:
    """The rows of a database at one moment. Others can write meanwhile; the file does not change."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise BackupFault(f"There is no database at {path}.")
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10, autocommit=True)
        self._database.text_factory = bytes
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        rows = self._database.execute(sql).fetchall()
        return [tuple(each.decode() if isinstance(each, bytes) else each for each in row) for row in rows]

    def list_names(self) -> list[str]:
        """The names of all tables but SQLite's own."""
        tables = self.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [name for (name,) in tables if not name.startswith("sqlite_")]

    def check(self) -> None:
        """Reads every page. Raises BackupFault if the file is damaged."""
        [[result], *_] = self.query("PRAGMA integrity_check(1)")
        if result != "ok":
            raise BackupFault(f"The database is damaged: {' '.join(result.split())}.")

    def read(self, table: Table) -> Iterator[bytes]:
        write = [WRITERS.get(column.kind, write_text) for column in table.columns]
        columns = ", ".join(f'"{name}"' for name in table.names)
        sql = f'SELECT {columns} FROM "{table.name}" ORDER BY "{table.key.name}"'  # noqa: S608
        for row in self._database.execute(sql):
            yield join(
                NULL if value is None else convert(value, column)
                for convert, value, column in zip(write, row, table.columns, strict=True)
            )

    def find_last_number(self, table: Table) -> int:
        """The highest number that the database has given to a row, or 0."""
        if not table.has_numbers:
            return 0
        found = self.query(f"SELECT seq FROM sqlite_sequence WHERE name = '{table.name}'")  # noqa: S608
        return found[0][0] if found else 0


# A value that is not of its column's kind is written as it is: SQLite stores anything anywhere.


def write_text(value: Any, column: Column) -> bytes:
    return escape(value if isinstance(value, bytes) else str(value).encode())


def write_boolean(value: Any, column: Column) -> bytes:
    return {0: b"f", 1: b"t"}.get(value) or write_text(value, column)


def write_float(value: Any, column: Column) -> bytes:
    return repr(float(value)).encode() if isinstance(value, int | float) else write_text(value, column)


def write_decimal(value: Any, column: Column) -> bytes:
    if not isinstance(value, int | float):
        return write_text(value, column)
    number = Decimal(value) if isinstance(value, int) else _DIGITS.create_decimal_from_float(value)
    return f"{number:.{column.places}f}".encode() if number.is_finite() else write_text(value, column)


def write_moment(value: Any, column: Column) -> bytes:
    if isinstance(value, bytes) and (found := _MOMENT.fullmatch(value)):
        fraction = (found[2] or b"").rstrip(b"0")
        return found[1] + (b"." + fraction if fraction else b"") + b"+00"
    return write_text(value, column)


def write_uuid(value: Any, column: Column) -> bytes:
    try:
        return str(UUID(value.decode())).encode()
    except (AttributeError, ValueError):
        return write_text(value, column)


WRITERS: Final[dict[ColumnKind, Callable[[Any, Column], bytes]]] = {
    ColumnKind.BOOLEAN: write_boolean,
    ColumnKind.FLOAT: write_float,
    ColumnKind.DECIMAL: write_decimal,
    ColumnKind.MOMENT: write_moment,
    ColumnKind.UUID: write_uuid,
}


# ---------------------------------------------------------------- filling


def fill(path: Path, table: Table, lines: Iterable[bytes], last_number: int) -> None:
    """Replaces all rows of a table. Raises BackupFault."""
    parse = [PARSERS.get(column.kind, bytes) for column in table.columns]
    names = ", ".join(f'"{name}"' for name in table.names)
    # Bytes that are not UTF-8 are a text, too.
    places = ", ".join("?" if column.kind in PARSERS else "CAST(? AS TEXT)" for column in table.columns)
    insert = f'INSERT INTO "{table.name}" ({names}) VALUES ({places})'  # noqa: S608

    def read_rows() -> Iterator[list[Any]]:
        for line in lines:
            values = [unescape(field) for field in split(line)]
            yield [None if value is None else convert(value) for convert, value in zip(parse, values, strict=True)]

    with closing(sqlite3.connect(path)) as database, database:
        try:
            database.execute(f'DELETE FROM "{table.name}"')  # noqa: S608
            database.executemany(insert, read_rows())
            if last_number:
                database.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table.name])
                database.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", [table.name, last_number])
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise BackupFault(f"SQLite refused a row of {table.name}: {error}.") from error


def parse_integer(value: bytes) -> Any:
    return int(value) if re.fullmatch(rb"-?\d+", value) else value.decode()


def parse_boolean(value: bytes) -> Any:
    return int(value == b"t") if value in (b"t", b"f") else value.decode()


def parse_float(value: bytes) -> Any:
    return float(value) if _NUMBER.fullmatch(value) else value.decode()


def parse_decimal(value: bytes) -> str:
    return value.decode()


def parse_moment(value: bytes) -> str:
    """Django's form: without a time zone, and with all six digits of the fraction or none."""
    if found := _ZONED_MOMENT.fullmatch(value):
        fraction = (found[2] or b"").ljust(6, b"0")
        return (found[1] + (b"." + fraction if found[2] else b"")).decode()
    return value.decode()


def parse_uuid(value: bytes) -> str:
    return (value.replace(b"-", b"") if _UUID.fullmatch(value) else value).decode()


PARSERS: Final[dict[ColumnKind, Callable[[bytes], Any]]] = {
    ColumnKind.INTEGER: parse_integer,
    ColumnKind.BOOLEAN: parse_boolean,
    ColumnKind.FLOAT: parse_float,
    ColumnKind.DECIMAL: parse_decimal,
    ColumnKind.MOMENT: parse_moment,
    ColumnKind.UUID: parse_uuid,
}
