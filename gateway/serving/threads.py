"""Runs the gateway's database work in its own threads, apart from those that serve pages."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from threading import Barrier
from typing import Final

from django.db import InterfaceError, OperationalError, connection

MAX_CONNECTIONS: Final = 4
"""Connections of the gateway to a database that allows several writers."""


def _thread_count() -> int:
    # SQLite allows one writer. Waiting for its lock takes longer than waiting for a turn in one thread.
    return 1 if connection.vendor == "sqlite" else MAX_CONNECTIONS


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_thread_count(), thread_name_prefix="gateway")


def in_thread[**P, R](work: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """Makes `work` a coroutine function. If the database connection turns out to be dead, the work runs once more."""

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return _with_connection(work, *args, **kwargs)
        except (InterfaceError, OperationalError):
            if connection.connection is not None:
                raise
            return _with_connection(work, *args, **kwargs)

    async def run_in_thread(*args: P.args, **kwargs: P.kwargs) -> R:
        call = partial(copy_context().run, run, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(_threads(), call)

    return run_in_thread


def _with_connection[**P, R](work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Keeps the connection for as long as it works, or returns it to its pool.

    Without a pool, opening a connection takes as long as all work of a request.
    """
    try:
        return work(*args, **kwargs)
    finally:
        if connection.settings_dict["CONN_MAX_AGE"]:
            connection.close_at = None
        connection.close_if_unusable_or_obsolete()


def close() -> None:
    """Ends the threads and closes their connections."""
    barrier = Barrier(_thread_count())

    def close_connection() -> None:
        # All threads meet here, so each of them runs this once and closes its own connection.
        barrier.wait()
        connection.close()

    for _ in range(_thread_count()):
        _threads().submit(close_connection)
    _threads().shutdown()
    _threads.cache_clear()
