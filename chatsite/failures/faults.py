"""Tells faults of the database and of the store of files that pass by themselves from those that do not."""

import sqlite3
from typing import Final

from django.db import InterfaceError, OperationalError

LIMIT_EXCEEDED: Final = "54"
"""How the codes of PostgreSQL's errors begin for statements that are too complex or too long."""


class UploadsUnavailable(OSError):
    """The store of attached files does not answer, or has an error of its own. The message is a sentence."""


class UploadsRefused(UploadsUnavailable):
    """The store refuses a request as it is: something about UPLOADS_URL is wrong."""


def is_passing(error: BaseException | None) -> bool:
    """Whether the same request may succeed later: the database is locked, full or unreachable, or the store is.

    SQLite also raises OperationalError for wrong SQL and missing tables, PostgreSQL for SQL beyond its limits.
    """
    if isinstance(error, UploadsUnavailable):
        return not isinstance(error, UploadsRefused)
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if state := getattr(error.__cause__, "sqlstate", None):
        return not state.startswith(LIMIT_EXCEEDED)
    return getattr(error.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR
