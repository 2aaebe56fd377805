"""Marks a site that is being restored or moved, so that nobody takes a half of it for the whole."""

from typing import Final

from django.conf import settings
from django.db import connection

UNFINISHED_RESTORE: Final = ".restoring"
"""A directory in DATA_DIR that exists while a backup is being restored, and after a restore that was killed."""
MARKER: Final = "chatsite_unfinished_restore"
"""A table that exists in a PostgreSQL database while it is being filled, and after that was killed."""


def describe_unfinished_restore() -> str:
    """Returns "" if the site is whole. Queries the database."""
    if (settings.DATA_DIR / UNFINISHED_RESTORE).exists():
        return (
            f"A restore into {settings.DATA_DIR} did not finish. Restore again, into an empty directory and database."
        )
    if connection.vendor == "postgresql" and has_marker():
        name = connection.settings_dict["NAME"]
        return f"A restore or a move into the database {name} did not finish. Run that command again."
    return ""


def has_marker() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [MARKER])
        return cursor.fetchone()[0] is not None


def set_marker() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {MARKER} ()")


def remove_marker() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {MARKER}")
