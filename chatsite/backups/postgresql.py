"""Reads all rows of the PostgreSQL database as lines, and fills it with them."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, LiteralString

from django.db import DatabaseError, connection, transaction

from chatsite.backups.rows import split
from chatsite.backups.schema import ColumnKind, Table

_LINE: Final = re.compile(r"^COPY \S+, line (\d+)(?:, column (\w+))?")


class PostgresReader:
    """The rows of the database at the moment at which the transaction began."""

    def query(self, sql: LiteralString) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def list_names(self) -> list[str]:
        return sorted(connection.introspection.table_names())

    def read(self, table: Table) -> Iterator[bytes]:
        # The order of texts depends on the database's locale otherwise.
        collation = ' COLLATE "C"' if table.key.kind == ColumnKind.TEXT else ""
        query = f'SELECT {quote(table.names)} FROM "{table.name}" ORDER BY "{table.key.name}"{collation}'  # noqa: S608
        copying = f"COPY ({query}) TO STDOUT"
        with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(copying) as rows:
            # PostgreSQL sends one row at a time.
            for row in rows:
                yield bytes(row)

    def find_last_number(self, table: Table) -> int:
        """The highest number that the database has given to a row, or 0."""
        if not table.has_numbers:
            return 0
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sequence_last_value(pg_get_serial_sequence(%s, %s))", name_sequence(table))
            return cursor.fetchone()[0] or 0


@contextmanager
def read_snapshot() -> Iterator[PostgresReader]:
    """Others can write meanwhile, and do not wait."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        print_exactly()
        yield PostgresReader()


def print_exactly() -> None:
    """Lets this transaction read all digits and plain moments, whatever is set for the database or the user."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL extra_float_digits = 3; SET LOCAL DateStyle = ISO")


def fill(table: Table, lines: Iterable[bytes], last_number: int) -> None:
    """Fills an empty table, within a transaction."""
    with connection.wrap_database_errors, connection.cursor() as cursor:
        with cursor.copy(f'COPY "{table.name}" ({quote(table.names)}) FROM STDIN') as copy:
            for line in lines:
                copy.write(line)
        if table.has_numbers and last_number:
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", [*name_sequence(table), last_number])


def empty(tables: Iterable[Table]) -> None:
    """Removes what migrations may have put into the tables."""
    with connection.cursor() as cursor:
        # A table with pending checks cannot be truncated.
        check_references()
        cursor.execute(f"TRUNCATE {quote(table.name for table in tables)} RESTART IDENTITY")


def check_references() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def quote(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def name_sequence(table: Table) -> list[str]:
    return [f'"{table.name}"', table.key.name]


def describe_refusal(error: DatabaseError, table: Table, lines: Iterable[bytes]) -> str:
    """Names the row that PostgreSQL refused, and why. `lines` are those of the table."""
    diagnosis = getattr(error.__cause__, "diag", None)
    words = [diagnosis.message_primary, diagnosis.message_detail] if diagnosis else [str(error)]
    reason = " ".join(" ".join(word.split()).removesuffix(".") + "." for word in words if word)
    found = _LINE.match(diagnosis.context or "") if diagnosis else None
    line = next(islice(lines, int(found[1]) - 1, None), b"") if found else b""
    if not found or not line:
        return f"PostgreSQL refused the table {table.name}: {reason}"
    key = split(line)[table.columns.index(table.key)].decode("utf-8", "replace")
    column = f", column {found[2]}" if found[2] else ""
    return f"PostgreSQL refused a row of {table.name} ({table.key.name} {key}{column}): {reason}"
