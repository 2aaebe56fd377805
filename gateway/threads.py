"""Where the gateway asks the database: in threads of its own, beside those that serve pages."""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from channels.db import database_sync_to_async

_threads: Final = ThreadPoolExecutor(4, thread_name_prefix="gateway")


def in_thread[**P, R](work: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """`work` as a coroutine; a connection to the database that has died is made anew."""
    asked: Callable[P, Awaitable[R]] = database_sync_to_async(work, thread_sensitive=False, executor=_threads)
    return asked
