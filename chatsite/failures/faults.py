"""Tells faults of the database that pass by themselves from those that do not."""

import sqlite3

from django.db import InterfaceError, OperationalError


def is_passing(error: BaseException | None) -> bool:
    """Whether the same request may succeed later: the database is locked, full or unreachable.

    SQLite also raises OperationalError for wrong SQL and missing tables.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    return getattr(error.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
