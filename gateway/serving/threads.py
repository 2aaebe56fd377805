"""Where the gateway asks the database: in threads of its own, beside those that serve pages."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Final

from django.db import InterfaceError, OperationalError, connection

MOST: Final = 4
"""Connections of the gateway to a database that lets several write at once."""


def _count() -> int:
    # SQLite lets one write at a time; who waits for its lock does so longer than for their turn in one thread.
    return 1 if connection.vendor == "sqlite" else MOST


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_count(), thread_name_prefix="gateway")


def in_thread[**P, R](work: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """`work` as a coroutine; it is done once more where the connection to the database turns out to be dead."""

    def done(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return _with_connection(work, *args, **kwargs)
        except (InterfaceError, OperationalError):
            if connection.connection is not None:
                raise
            return _with_connection(work, *args, **kwargs)

    async def asked(*args: P.args, **kwargs: P.kwargs) -> R:
        def call() -> R:
            return done(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(_threads(), call)

    return asked


def _with_connection[**P, R](work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Opening a connection takes as long as a whole request asks of it, so it is kept for as long as it works."""
    try:
        return work(*args, **kwargs)
    finally:
        connection.close_at = None
        connection.close_if_unusable_or_obsolete()


def close() -> None:
    """Lets go of the threads and of their connections."""
    everyone = Barrier(_count())

    def last_act() -> None:
        # Nobody leaves before all are there: so each thread has come, and closes what is its own.
        everyone.wait()
        connection.close()

    for _ in range(_count()):
        _threads().submit(last_act)
    _threads().shutdown()
    _threads.cache_clear()
