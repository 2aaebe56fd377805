"""Waits at the start for a PostgreSQL that may be starting, too."""

import time
from typing import Final

from django.db import OperationalError, connection

PATIENCE: Final = 10.0
"""Seconds that a request waits for a connection, as on SQLite for the lock. After that it gets a 503."""
PAUSE: Final = 0.5
"""Seconds between two attempts to connect at the start."""


def wait_for_database() -> None:
    """Connects once, without the pool: its errors only say that it has waited. Raises the database's own error.

    A server that does not answer may be about to start, so it gets `PATIENCE` seconds. SQLite has none, and would
    create its file.
    """
    if connection.vendor != "postgresql":
        return
    single = connection.copy()
    single.settings_dict["OPTIONS"] |= {"pool": False}
    single.settings_dict["OPTIONS"].setdefault("connect_timeout", int(PATIENCE))
    end = time.monotonic() + PATIENCE
    while True:
        try:
            single.ensure_connection()
            return
        except OperationalError as error:
            if not may_be_starting(error) or time.monotonic() >= end:
                raise
        finally:
            single.close()
        time.sleep(PAUSE)


def may_be_starting(error: OperationalError) -> bool:
    """Whether PostgreSQL has not answered, or says that it starts or stops."""
    words = str(error)
    return connection.vendor == "postgresql" and ("FATAL" not in words or "the database system is" in words)
