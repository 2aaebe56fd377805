"""The pool of connections to PostgreSQL: a thread takes one for a request or a piece of work, and gives it back."""

import time
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from psycopg import Connection, Error
from psycopg_pool import ConnectionPool

FEWEST: Final = 4
"""With fewer connections, threads that keep one while they wait for another could wait for ever."""
PATIENCE: Final = 10.0
"""Seconds that a request waits for a connection, as on SQLite for the lock. After that it gets a 503."""
PAUSE: Final = 0.5
"""Seconds between two attempts to connect at the start."""
RECONNECTING: Final = 8.0
"""Seconds for which the pool tries to connect before it gives up until the next request.

The pauses between its attempts double, so a longer time would leave the site down after PostgreSQL is back.
"""


def configure_pool(size: int) -> dict[str, Any]:
    """Returns Django's `OPTIONS["pool"]` for up to `size` connections of this process."""
    if size < FEWEST:
        raise ImproperlyConfigured(f"DATABASE_CONNECTIONS must be at least {FEWEST}.")
    return {
        "min_size": 1,
        "max_size": size,
        "timeout": PATIENCE,
        "reconnect_timeout": RECONNECTING,
        "check": discard_if_dead,
    }


def wait_for_database() -> None:
    """Connects once, without the pool: its errors only say that it has waited. Raises the database's own error.

    A server that does not answer may be about to start, so it gets `PATIENCE` seconds.
    """
    single = connection.copy()
    if connection.vendor == "postgresql":
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


def discard_if_dead(pooled: Connection[Any]) -> None:
    """Checks a connection before the pool hands it out. If it is dead, so are the others: PostgreSQL has restarted.

    Otherwise the pool would find them one by one, and pause between two of them for longer each time.
    """
    pool: ConnectionPool[Any] = pooled._pool  # type: ignore[assignment]
    try:
        ConnectionPool.check_connection(pooled)
    except Error:
        pool.drain()
        raise
