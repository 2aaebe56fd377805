"""A value has the same digest in each database, and comes back from each as it was."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.apps import apps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatsite.backups import sqlite
from chatsite.backups.rows import Digest, Mend, canonicalise, escape, join, mend, split, unescape
from chatsite.backups.schema import Column, ColumnKind, Table, describe_table
from chatsite.backups.sqlite import SqliteReader
from tests.postgres import PostgresServer

TYPES = {
    ColumnKind.INTEGER: ("integer", "bigint"),
    ColumnKind.BOOLEAN: ("bool", "boolean"),
    ColumnKind.DATE: ("date", "date"),
    ColumnKind.DECIMAL: ("decimal", "numeric(15, 4)"),
    ColumnKind.FLOAT: ("real", "double precision"),
    ColumnKind.JSON: ("text", "jsonb"),
    ColumnKind.MOMENT: ("datetime", "timestamptz"),
    ColumnKind.TEXT: ("text", "text"),
    ColumnKind.UUID: ("char(32)", "uuid"),
}
"""The types that Django gives to columns, on SQLite and on PostgreSQL."""
COLUMNS = tuple(Column(f"a_{kind}", kind, 4 if kind == ColumnKind.DECIMAL else 0) for kind in TYPES)
KEY = Column("id", ColumnKind.INTEGER)
TABLE = Table("things", (*COLUMNS, KEY), KEY, has_numbers=True)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e15, 1e15) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
VALUES = {
    ColumnKind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    ColumnKind.BOOLEAN: st.booleans(),
    ColumnKind.DATE: st.dates(date(1000, 1, 1)),
    ColumnKind.DECIMAL: st.decimals("-99999999999", "99999999999", places=4),
    ColumnKind.FLOAT: st.floats(allow_nan=False),
    ColumnKind.JSON: json_values,
    ColumnKind.MOMENT: st.datetimes(datetime(1000, 1, 1)),
    ColumnKind.TEXT: texts,
    ColumnKind.UUID: st.uuids(),
}
rows = st.tuples(*(st.none() | VALUES[kind] for kind in TYPES))


def as_django_stores(value: Any, kind: ColumnKind) -> Any:
    """The value as Django binds it on SQLite."""
    match kind, value:
        case _, None:
            return None
        case ColumnKind.JSON, _:
            return json.dumps(value)
        case ColumnKind.UUID, UUID():
            return value.hex
        case ((ColumnKind.MOMENT | ColumnKind.DATE | ColumnKind.DECIMAL), _):
            return str(value)
    return value


def create_sqlite(path: Path, name: str = "things") -> None:
    columns = ", ".join(f"{column.name} {TYPES[column.kind][0]}" for column in COLUMNS)
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns}, id integer PRIMARY KEY AUTOINCREMENT)")
        database.commit()


def digest(table: Table, lines: list[bytes]) -> str:
    whole = Digest(table)
    for line in lines:
        whole.add(line)
    return whole.value


def read(path: Path, table: Table = TABLE) -> list[bytes]:
    with SqliteReader(path) as reader:
        return list(reader.read(table))


@pytest.fixture(scope="module")
def postgres() -> Iterator["psycopg.Connection[Any]"]:
    columns = ", ".join(f"{column.name} {TYPES[column.kind][1]}" for column in COLUMNS)
    with PostgresServer() as server, psycopg.connect(server.url, options="-c timezone=UTC") as connection:
        connection.execute(f"CREATE TABLE things ({columns}, id integer PRIMARY KEY)")
        connection.commit()
        yield connection


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=1, max_size=10))
def test_a_row_is_the_same_in_every_database(
    tmp_path_factory: pytest.TempPathFactory, postgres: "psycopg.Connection[Any]", values: list[tuple[Any, ...]]
) -> None:
    path = tmp_path_factory.mktemp("odd") / "a.sqlite3"
    create_sqlite(path)
    with closing(sqlite3.connect(path)) as database:
        for row in values:
            bound = [as_django_stores(value, kind) for value, kind in zip(row, TYPES, strict=True)]
            database.execute(f"INSERT INTO things VALUES ({'?, ' * len(bound)} NULL)", bound)
        database.commit()
    lines = read(path)

    names = ", ".join(TABLE.names)
    postgres.execute("TRUNCATE things")
    with postgres.cursor() as cursor:
        with cursor.copy(f"COPY things ({names}) FROM STDIN") as into:
            for line in lines:
                into.write(line)
        with cursor.copy(f"COPY (SELECT {names} FROM things ORDER BY id) TO STDOUT") as out:
            returned = [bytes(line) for line in out]
        found = cursor.execute("SELECT a_decimal, a_float, a_json, a_moment FROM things ORDER BY id").fetchall()
    postgres.commit()
    assert digest(TABLE, returned) == digest(TABLE, lines)
    for row, (decimal, number, parsed, moment) in zip(values, found, strict=True):
        by_kind = dict(zip(TYPES, row, strict=True))
        assert (decimal, number) == (by_kind[ColumnKind.DECIMAL], by_kind[ColumnKind.FLOAT])
        assert parsed == by_kind[ColumnKind.JSON]
        assert moment == (by_kind[ColumnKind.MOMENT] and by_kind[ColumnKind.MOMENT].replace(tzinfo=UTC))

    again = path.with_name("b.sqlite3")
    create_sqlite(again)
    sqlite.fill(again, TABLE, returned, last_number=50)
    assert digest(TABLE, read(again)) == digest(TABLE, lines)
    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(again)) as other:
        columns = ", ".join(f"{name}, typeof({name})" for name in TABLE.names if name != "a_json")
        query = f"SELECT {columns} FROM things ORDER BY id"
        assert one.execute(query).fetchall() == other.execute(query).fetchall()
        assert other.execute("SELECT seq FROM sqlite_sequence").fetchall() == [(50,)]


ODD = [b"\xed\xa0\x80", b"\xff\xfe", b"a\0b", b"\\N", b"\\\\N\t\n\r\x08\x0b\x0c", b"", "Ä\u2028\U0001f600".encode()]


def test_what_sqlite_takes_in_any_column_comes_back_as_it_was(tmp_path: Path) -> None:
    """SQLite stores text in number columns, numbers in text columns, and text that is not UTF-8."""
    one, other = tmp_path / "a.sqlite3", tmp_path / "b.sqlite3"
    for path in (one, other):
        create_sqlite(path)
    values = ["odd", 3, 3.5, -0.0, 2, 10**18, "1_000", "2026-01-01", "01"]
    with closing(sqlite3.connect(one)) as database:
        for value in values:
            database.execute(f"INSERT INTO things VALUES ({'?, ' * len(COLUMNS)} NULL)", [value] * len(COLUMNS))
        for text in ODD:
            database.execute("INSERT INTO things (a_text) VALUES (CAST(? AS TEXT))", [text])
        database.commit()
    sqlite.fill(other, TABLE, read(one), last_number=len(values))
    assert read(other) == read(one)
    for column in COLUMNS:
        query = f"SELECT CAST({column.name} AS BLOB), typeof({column.name}) FROM things ORDER BY id"
        with closing(sqlite3.connect(one)) as before, closing(sqlite3.connect(other)) as after:
            for old, new in zip(before.execute(query), after.execute(query), strict=True):
                # A decimal has the places of its column, as the site reads it.
                assert old == new or column.kind == ColumnKind.DECIMAL


@given(st.lists(st.none() | st.binary(), min_size=1))
def test_a_line_has_what_was_written_into_it(values: list[bytes | None]) -> None:
    line = join(rb"\N" if value is None else escape(value) for value in values)
    assert line.count(b"\n") == 1
    assert [unescape(field) for field in split(line)] == values


@given(json_values, json_values)
def test_json_has_one_digest_however_it_is_written(value: Any, other: Any) -> None:
    forms = [json.dumps(value), json.dumps(value, indent=1), json.dumps(value, ensure_ascii=False, sort_keys=True)]
    assert len({canonicalise(escape(form.encode()), ColumnKind.JSON) for form in forms}) == 1
    if json.dumps(value, sort_keys=True) != json.dumps(other, sort_keys=True) and value != other:
        assert canonicalise(escape(forms[0].encode()), ColumnKind.JSON) != canonicalise(
            escape(json.dumps(other).encode()), ColumnKind.JSON
        )


@pytest.mark.parametrize("one, other", [("1e2", "100"), ("1.50", "1.5"), ("-0.0", "0"), ("1E400", f"1{'0' * 400}")])
def test_postgres_may_write_a_number_in_another_way(one: str, other: str) -> None:
    assert canonicalise(one.encode(), ColumnKind.JSON) == canonicalise(other.encode(), ColumnKind.JSON)


TEXTS = Table(
    "words",
    (Column("id", ColumnKind.INTEGER), Column("json", ColumnKind.JSON), Column("text", ColumnKind.TEXT)),
    KEY,
    False,
)


@given(st.binary(), st.text(st.characters(exclude_characters="\n")))
def test_postgres_stores_every_mended_text(postgres: "psycopg.Connection[Any]", text: bytes, said: str) -> None:
    mends: list[Mend] = []
    encoded = json.dumps({said: [said, 1]}).encode()
    [line] = mend(TEXTS, [join([b"7", escape(encoded), escape(text)])], mends)
    _, mended_json, mended = (unescape(field) for field in split(line))
    assert mended_json and mended is not None
    row = postgres.execute("SELECT %s::jsonb, %s::text", [mended_json.decode(), mended.decode()]).fetchone()
    assert row
    is_text_right = row[1].encode() == text
    is_json_right = row[0] == {said: [said, 1]}
    assert [each.column for each in mends] == ["json"] * (not is_json_right) + ["text"] * (not is_text_right)
    assert all(each.key == "7" for each in mends)


def test_text_that_postgres_stores_is_not_changed() -> None:
    lines = [join([b"1", escape(rb'{"a": "\\u0000 \ud83d\ude00"}'), rb"\\u0000"]), join([b"2", rb"\N", b"\xc3\xa4"])]
    mends: list[Mend] = []
    assert list(mend(TEXTS, lines, mends)) == lines
    assert mends == []


def test_every_column_of_the_site_can_be_backed_up() -> None:
    for model in apps.get_models(include_auto_created=True):
        table = describe_table(model)
        assert table.key in table.columns


def test_a_decimal_is_read_as_the_site_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    create_sqlite(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO things (a_decimal) VALUES (0.1 + 0.2)")
        database.execute("INSERT INTO things (a_decimal) VALUES (7)")
        database.commit()
    [column] = [column for column in COLUMNS if column.kind == ColumnKind.DECIMAL]
    narrow = replace(TABLE, columns=(column, KEY))
    assert [Decimal(split(line)[0].decode()) for line in read(path, narrow)] == [Decimal("0.3"), 7]
