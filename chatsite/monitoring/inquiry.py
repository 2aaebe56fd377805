"""Questions to the database that must not gather while it hangs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from chatsite.process.threads import database_sync_to_async

LIMIT: Final = 2.0
"""Seconds in which the database has to answer."""


class Inquiry[R]:
    """Asks one question at a time, in a thread of its own: a queue of requests must not delay it."""

    def __init__(self, question: Callable[[], R], name: str, *, limit: float = LIMIT) -> None:
        """`limit` is how many seconds the question may take."""
        self._limit = limit
        executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._question = database_sync_to_async(question, thread_sensitive=False, executor=executor)
        self._asking: asyncio.Task[R] | None = None

    async def ask(self) -> R:
        """Joins a question that is still open. Raises TimeoutError after the limit, or what it raises."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._question())
            # Nobody may be left to read its error.
            self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait([self._asking], timeout=self._limit)
        if not self._asking.done():
            raise TimeoutError
        return self._asking.result()
