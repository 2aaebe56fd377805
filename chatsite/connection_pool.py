"""The pool of connections to PostgreSQL: a thread takes one for a request or a piece of work, and gives it back.

Only a site on PostgreSQL imports this module: others need not have its packages.
"""

from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from psycopg import Connection, Error
from psycopg_pool import ConnectionPool

from chatsite.postgresql import PATIENCE

FEWEST: Final = 4
"""With fewer connections, threads that keep one while they wait for another could wait for ever."""
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
