"""Moves a site from SQLite to PostgreSQL."""

from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from environ import Env

from chatsite.backups.archive import BackupFault
from chatsite.backups.databases import (
    Progress,
    copy_rows,
    describe_mends,
    examine,
    fill_database,
    find_sqlite_file,
    is_empty,
    open_sqlite,
    use_database,
)
from chatsite.installation.data_lock import acquire_data_lock
from chatsite.installation.packages import require
from chatsite.installation.start_faults import describe_database_fault
from chatsite.installation.unfinished import describe_unfinished_restore
from chatsite.installation.urls import split_url

SCHEMES: Final = ("postgres", "postgresql")


def move_to_postgresql(url: str, progress: Progress) -> list[str]:
    """Copies all rows of the SQLite database, which stays as it is, into the empty database at `url`.

    Returns sentences about what differs. Raises BackupFault or ImproperlyConfigured, and then the target is empty.
    """
    if connection.vendor != "sqlite":
        raise BackupFault("This site does not use SQLite. DATABASE_URL must still name the database to move.")
    if split_url("the address", url).scheme not in SCHEMES:
        raise BackupFault("Name the PostgreSQL database to move to: postgres://user@host/name.")
    require("Moving to PostgreSQL", "psycopg")
    if not acquire_data_lock():
        raise BackupFault(f"The site is running on {settings.DATA_DIR}. Stop it first.")
    if fault := describe_unfinished_restore():
        raise BackupFault(fault)
    with open_sqlite(find_sqlite_file()) as reader:
        contents = examine(reader)
        with use_database(Env.db_url_config(url)):
            require_empty_target()
            with fill_database(settings.DATA_DIR, contents.migrations, contents.tables) as filling:
                copy_rows(reader, filling, contents.tables, progress)
    strangers = [f"The table {name} is not one of chatsite, and was not moved." for name in contents.strangers]
    return strangers + describe_mends(filling.mends)


def require_empty_target() -> None:
    try:
        connection.ensure_connection()
        if not is_empty():
            name = connection.settings_dict["NAME"]
            raise BackupFault(f"The database {name} is not empty. Name an empty one.")
    except DatabaseError as error:
        raise BackupFault(describe_database_fault(error)) from error


def hide_password(url: str) -> str:
    """The address as a person may write it down, with … for the password."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":…@", 1) if password else url
