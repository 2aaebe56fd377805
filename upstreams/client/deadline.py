"""Bounds many short waits, one after another, with one timer."""

import asyncio
from collections.abc import Awaitable


class Deadline:
    """Limits each wait like `asyncio.timeout`, which would make and cancel a timer for every token.

    Instead, one timer keeps running. If it fires before the current wait is due, it is set again. All waits belong to
    one reader. Call `close` after the last one.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._until = 0.0
        self._has_expired = False

    async def wait[T](self, until: float, awaited: Awaitable[T]) -> T:
        """Returns the result of `awaited`. Raises TimeoutError if `until`, in the loop's time, is earlier."""
        self._until = until
        if self._timer is None or until < self._timer.when():
            self._set_timer()
        task = self._waiting = asyncio.current_task()
        assert task is not None
        cancelled_before = task.cancelling()
        try:
            return await awaited
        except asyncio.CancelledError:
            # Another caller may have cancelled the task at the same moment; that cancellation wins.
            if self._has_expired and task.uncancel() <= cancelled_before:
                raise TimeoutError from None
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._until, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._loop.time() < self._until:
            self._set_timer()
            return
        self._has_expired = True
        self._waiting.cancel()
