"""Copies the database to a file while others write, and puts such a copy in the place of an empty database."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection, transaction

from chatsite.backups.archive import BackupFault
from chatsite.models import Upgrade
from conversations.models import Attachment

type Query = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a copy of the database contains."""

    migrations: list[str]
    version: str
    uploads: dict[str, int]
    """The stored name and the size of each attached file."""


def copy_database(target: Path) -> Snapshot:
    """Writes a consistent copy to `target` and checks it. Raises BackupFault."""
    try:
        return copy_sqlite(target) if connection.vendor == "sqlite" else copy_postgresql(target)
    except (sqlite3.Error, DatabaseError) as error:
        raise BackupFault(f"The database cannot be read: {join_lines(str(error))}.") from error


def is_empty() -> bool:
    """Whether the database has no tables. Does not create a database that is missing."""
    if connection.vendor != "sqlite":
        return not connection.introspection.table_names()
    path = Path(connection.settings_dict["NAME"])
    try:
        return not path.exists() or path.stat().st_size == 0 or not list_sqlite_tables(path)
    except sqlite3.Error:
        return False


def restore_database(copy: Path) -> None:
    """Replaces the empty database. Raises BackupFault, and then the database is still empty."""
    if connection.vendor == "sqlite":
        restore_sqlite(copy)
    else:
        restore_postgresql(copy)


def examine(query: Query, tables: Iterable[str]) -> Snapshot:
    """Reads tables by name: the database may have been migrated by an older version, which has fewer of them."""
    upgrades, attachments = Upgrade._meta.db_table, Attachment._meta.db_table
    if "django_migrations" not in tables:
        raise BackupFault("There is no site in the database yet.")
    versions = query(f"SELECT version FROM {upgrades} ORDER BY id DESC LIMIT 1") if upgrades in tables else []  # noqa: S608
    uploads = query(f"SELECT stored, size FROM {attachments} ORDER BY stored") if attachments in tables else []  # noqa: S608
    return Snapshot(
        migrations=sorted(f"{app}.{name}" for app, name in query("SELECT app, name FROM django_migrations")),
        version=versions[0][0] if versions else "",
        uploads=dict(uploads),
    )


# ---------------------------------------------------------------- SQLite


def copy_sqlite(target: Path) -> Snapshot:
    path = Path(connection.settings_dict["NAME"])
    if not path.exists():
        raise BackupFault(f"There is no database at {path}.")
    with closing(open_sqlite(path)) as source, closing(sqlite3.connect(target)) as copy:
        # In one step, the copy is a single snapshot. In write-ahead mode, nobody waits for it.
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    return examine_sqlite(target)


def examine_sqlite(path: Path) -> Snapshot:
    """Checks every page of the file, which nobody else may use."""
    try:
        with closing(open_sqlite(path)) as database:
            [result, *_] = [row[0] for row in database.execute("PRAGMA integrity_check(1)")]
            if result != "ok":
                raise BackupFault(f"The database is damaged: {join_lines(result)}.")
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return examine(lambda sql: database.execute(sql).fetchall(), tables)
    except sqlite3.DatabaseError as error:
        raise BackupFault(f"The database is damaged: {error}.") from error


def list_sqlite_tables(path: Path) -> list[str]:
    with closing(open_sqlite(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def open_sqlite(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=10)


def restore_sqlite(copy: Path) -> None:
    path = Path(connection.settings_dict["NAME"])
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.restoring")
    shutil.move(copy, beside)
    # Left beside another database, a write-ahead log would be applied to it.
    for ending in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    os.replace(beside, path)


# ---------------------------------------------------------------- PostgreSQL


def copy_postgresql(target: Path) -> Snapshot:
    with transaction.atomic(), connection.cursor() as cursor:

        def query(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        [[snapshot]] = query("SELECT pg_export_snapshot()")
        run_client("pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={target}", "--dbname")
        run("pg_restore", "--file=/dev/null", str(target))
        return examine(query, connection.introspection.table_names(cursor))


def restore_postgresql(copy: Path) -> None:
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", str(copy), "--dbname")
    run_client("pg_restore", *options)


def run_client(program: str, *options: str) -> None:
    """Runs a program of PostgreSQL on the site's database, whose name follows the options."""
    arguments, environment = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    *where, name = arguments[1:]
    run(program, *where, *options, name, environment=environment)


def run(program: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            [program, *arguments], env=os.environ | (environment or {}), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise BackupFault(f"{program} is missing. Install the client programs of PostgreSQL.") from error
    if done.returncode:
        raise BackupFault(f"{program} failed: {join_lines(done.stderr)}")


def join_lines(text: str) -> str:
    return " ".join(text.split())
