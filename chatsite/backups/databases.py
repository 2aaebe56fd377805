"""Reads a site's database, whichever it is, and fills an empty one with the rows of another."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, Protocol

from django.db import DatabaseError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import load_backend

from chatsite.backups import postgresql, sqlite
from chatsite.backups.archive import BackupFault
from chatsite.backups.postgresql import PostgresReader
from chatsite.backups.rows import Digest, Mend, mend, split
from chatsite.backups.schema import Table, describe_tables
from chatsite.backups.sqlite import SqliteReader
from chatsite.installation.unfinished import MARKER, remove_marker, set_marker
from chatsite.installation.version import describe_newer, find_unknown
from chatsite.models import Upgrade
from conversations.models import Attachment

FILLING: Final = "filling.sqlite3"

type Progress = Callable[[str], None]
"""Takes a line about the progress."""


class Reader(Protocol):
    def read(self, table: Table) -> Iterator[bytes]:
        """Yields the rows as lines, in the order of the key."""

    def find_last_number(self, table: Table) -> int:
        """The highest number that the database has given to a row, or 0."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database contains."""

    migrations: list[str]
    version: str
    """Of the chatsite that migrated it last, or ""."""
    tables: list[Table]
    strangers: list[str]
    """Names of tables that no migration of chatsite creates."""


def examine(reader: SqliteReader | PostgresReader) -> Contents:
    """Raises BackupFault if there is no site, or if a newer version has migrated the database."""
    names = reader.list_names()
    if "django_migrations" not in names:
        raise BackupFault("There is no site in the database yet.")
    upgrades = Upgrade._meta.db_table
    # An older version may have migrated the database, and then there may be fewer tables.
    versions = (
        reader.query("SELECT version FROM chatsite_upgrade ORDER BY id DESC LIMIT 1") if upgrades in names else []
    )
    version = versions[0][0] if versions else ""
    applied = reader.query("SELECT app, name FROM django_migrations")
    migrations = sorted(f"{app}.{name}" for app, name in applied)
    if unknown := find_unknown(migrations):
        raise BackupFault(describe_newer("The database", version, unknown))
    tables = describe_tables(migrations)
    return Contents(migrations, version, tables, sorted({*names} - {table.name for table in tables}))


def list_uploads(reader: Reader, tables: list[Table]) -> dict[str, int]:
    """The stored name and the size of each attached file."""
    for table in tables:
        if table.name == Attachment._meta.db_table:
            stored, size = (table.names.index(name) for name in ("stored", "size"))
            rows = (split(line) for line in reader.read(table))
            return {row[stored].decode(): int(row[size]) for row in rows}
    return {}


@contextmanager
def open_database() -> Iterator[SqliteReader | PostgresReader]:
    """Yields the site's database as it is at this moment. Raises BackupFault."""
    if connection.vendor == "sqlite":
        with open_sqlite(find_sqlite_file()) as reader:
            yield reader
        return
    try:
        with postgresql.read_snapshot() as snapshot:
            yield snapshot
    except DatabaseError as error:
        raise BackupFault(f"The database cannot be read: {join_lines(error)}.") from error


@contextmanager
def open_sqlite(path: Path) -> Iterator[SqliteReader]:
    """Yields the database after a check of each page. Raises BackupFault."""
    try:
        with SqliteReader(path) as reader:
            reader.check()
            yield reader
    except sqlite3.OperationalError as error:
        raise BackupFault(f"The database cannot be read: {join_lines(error)}.") from error
    except sqlite3.DatabaseError as error:
        raise BackupFault(f"The database is damaged: {join_lines(error)}.") from error


def find_sqlite_file() -> Path:
    return Path(connection.settings_dict["NAME"])


def is_empty() -> bool:
    """Whether the database has no tables. Does not create a database that is missing."""
    if connection.vendor != "sqlite":
        return {*connection.introspection.table_names()} <= {MARKER}
    path = find_sqlite_file()
    try:
        if not path.exists() or path.stat().st_size == 0:
            return True
        with SqliteReader(path) as reader:
            return not reader.list_names()
    except sqlite3.Error:
        return False


# ---------------------------------------------------------------- filling


class SqliteFilling:
    """A new database beside the site's place, which takes that place at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.mends: list[Mend] = []

    def fill(self, table: Table, lines: Iterable[bytes], last_number: int) -> None:
        sqlite.fill(self._path, table, lines, last_number)

    def mend(self, table: Table, lines: Iterable[bytes], mends: list[Mend]) -> Iterable[bytes]:
        return lines

    def open_reader(self) -> AbstractContextManager[Reader]:
        return SqliteReader(self._path)

    def check_references(self) -> None:
        """SQLite may have rows that refer to missing ones. They stay as they were."""


class PostgresFilling:
    """The site's database, in a transaction that ends when it is filled."""

    def __init__(self) -> None:
        self.mends: list[Mend] = []

    def fill(self, table: Table, lines: Iterable[bytes], last_number: int) -> None:
        postgresql.fill(table, lines, last_number)

    def mend(self, table: Table, lines: Iterable[bytes], mends: list[Mend]) -> Iterable[bytes]:
        return mend(table, lines, mends)

    def open_reader(self) -> AbstractContextManager[Reader]:
        return nullcontext(PostgresReader())

    def check_references(self) -> None:
        """Raises DatabaseError if a row refers to a missing one."""
        postgresql.check_references()


type Filling = SqliteFilling | PostgresFilling


@contextmanager
def fill_database(scratch: Path, migrations: list[str], tables: list[Table]) -> Iterator[Filling]:
    """Yields the empty database, migrated as given. It stays empty if the block raises.

    Raises BackupFault.
    """
    try:
        fill = (
            fill_sqlite(scratch, migrations) if connection.vendor == "sqlite" else fill_postgresql(migrations, tables)
        )
        with fill as filling:
            yield filling
    except (sqlite3.Error, DatabaseError) as error:
        raise BackupFault(f"The database cannot be filled: {join_lines(error)}.") from error


@contextmanager
def fill_sqlite(scratch: Path, migrations: list[str]) -> Iterator[SqliteFilling]:
    place, path = find_sqlite_file(), scratch / FILLING
    with use_database(connection.settings_dict | {"NAME": path}):
        migrate(migrations)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    yield SqliteFilling(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.restoring")
    shutil.move(path, beside)
    # Left beside another database, a write-ahead log would be applied to it.
    for ending in ("-wal", "-shm", "-journal"):
        place.with_name(place.name + ending).unlink(missing_ok=True)
    os.replace(beside, place)


@contextmanager
def fill_postgresql(migrations: list[str], tables: list[Table]) -> Iterator[PostgresFilling]:
    set_marker()
    try:
        with transaction.atomic():
            postgresql.print_exactly()
            migrate(migrations)
            postgresql.empty(tables)
            yield PostgresFilling()
            remove_marker()
    finally:
        # If the connection is lost, the marker stays, and the next attempt ignores it.
        with suppress(DatabaseError):
            remove_marker()


@contextmanager
def use_database(settings: dict[str, Any]) -> Iterator[None]:
    """Makes the default connection of this thread one to another database."""
    before = connections["default"]
    complete = connections.configure_settings({"default": settings})["default"]
    connections["default"] = load_backend(settings["ENGINE"]).DatabaseWrapper(complete, "default")
    try:
        yield
    finally:
        connection.close()
        connections["default"] = before


def migrate(migrations: list[str]) -> None:
    """Creates the tables. Unlike the command, adds no rows for content types and permissions."""
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    nodes = {node for node in graph.nodes if ".".join(node) in migrations}
    followed = {parent.key for node in nodes for parent in graph.node_map[node].parents if parent.key[0] == node[0]}
    executor.migrate(sorted(nodes - followed))


def copy_rows(source: Reader, filling: Filling, tables: list[Table], progress: Progress) -> None:
    """Copies all rows, reads them again, and compares. Raises BackupFault."""
    for table in tables:
        sent, found = Digest(table), Digest(table)
        lines = sent.watch(filling.mend(table, source.read(table), filling.mends))
        try:
            filling.fill(table, lines, source.find_last_number(table))
        except DatabaseError as error:
            raise BackupFault(postgresql.describe_refusal(error, table, source.read(table))) from error
        with filling.open_reader() as reader:
            for line in reader.read(table):
                found.add(line)
            if (sent.rows, sent.value) != (found.rows, found.value):
                sent_lines = filling.mend(table, source.read(table), [])
                raise BackupFault(describe_difference(table, sent_lines, reader.read(table)))
        if sent.rows:
            progress(f"{table.name}: {sent.rows:,} row{'' if sent.rows == 1 else 's'}")
    filling.check_references()


def describe_mends(mends: list[Mend]) -> list[str]:
    """Sentences about the texts that PostgreSQL has in another form."""
    return [f"PostgreSQL cannot store some characters of {each}: they are replaced by U+FFFD." for each in mends]


def describe_difference(table: Table, sent: Iterable[bytes], found: Iterable[bytes]) -> str:
    """Names the first row that the database did not keep, and its columns."""
    digest = Digest(table)
    for one, other in zip_longest(sent, found, fillvalue=b""):
        if digest.canonicalise(one) != digest.canonicalise(other):
            before, after = split(one or other), split(other or one)
            columns = ", ".join(name for name, old, new in zip(table.names, before, after, strict=True) if old != new)
            key = before[table.columns.index(table.key)].decode("utf-8", "replace")
            where = f"{table.name}, {table.key.name} {key}" + (f", {columns}" if columns else "")
            return f"The database did not keep a row as it was: {where}."
    return f"The database did not keep the rows of {table.name}."


def join_lines(error: Exception) -> str:
    return " ".join(str(error).split()).removesuffix(".")
