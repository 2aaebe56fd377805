"""Threads for requests, and work in threads that need the database.

Django would start a thread for every request, and that thread would open a connection of its own. On SQLite opening
one costs about as much as all queries of a small page. Here, threads outlive their requests and keep their
connections. On PostgreSQL, they share a pool of connections and return theirs after each request.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import wraps
from typing import Any, Final

from asgiref.sync import ThreadSensitiveContext, sync_to_async  # noqa: TID251
from django.db import DEFAULT_DB_ALIAS, connection, connections

SPARE: Final = 4
"""Idle threads to keep. A crowd gets more, which end with their requests."""


def database_sync_to_async[**P, R](
    work: Callable[P, R], *, thread_sensitive: bool = True, executor: ThreadPoolExecutor | None = None
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Like `sync_to_async`, but looks after the thread's connection, as Django does before and after a request.

    On PostgreSQL, the connection returns to the pool after the work. A dead one would otherwise stay in a thread that
    serves no requests, and every later query there would fail.
    """

    return sync_to_async(look_after_connection(work), thread_sensitive=thread_sensitive, executor=executor)


def look_after_connection[**P, R](work: Callable[P, R]) -> Callable[P, R]:
    @wraps(work)
    def look_after(*args: P.args, **kwargs: P.kwargs) -> R:
        close_unusable_connections()
        try:
            return work(*args, **kwargs)
        finally:
            close_unusable_connections()

    return look_after


def close_unusable_connections() -> None:
    """Like Django's `close_old_connections`, but leaves a connection alone whose transaction is open.

    Under Django's test client, work runs within the transaction of its test.
    """
    for each in connections.all(initialized_only=True):
        if not each.in_atomic_block:
            each.close_if_unusable_or_obsolete()


class OwnThread(ThreadPoolExecutor):
    """One thread that keeps a connection of its own, outside the pool."""

    def __init__(self, name: str) -> None:
        super().__init__(1, thread_name_prefix=name, initializer=leave_pool)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with suppress(RuntimeError):  # It has been shut down before.
            self.submit(connections.close_all)
        super().shutdown(wait, cancel_futures=cancel_futures)


def leave_pool() -> None:
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    own.settings_dict["CONN_MAX_AGE"] = None
    connections[DEFAULT_DB_ALIAS] = own


class LoopThreads(ThreadPoolExecutor):
    """Threads for an event loop's `run_in_executor`. Each returns its connection to the pool after its work.

    Django renders error pages of asynchronous requests there, which may read the session and the person.
    """

    def submit[**P, R](self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        return super().submit(look_after_connection(work), *args, **kwargs)


class ReusedThreads:
    """An ASGI application that runs the synchronous code of each request in a thread of its own, as Django does."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        # The last one first: its connection's cache is warm.
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self._application(scope, receive, send)
        finally:
            if len(self._idle) < SPARE:
                self._idle.append(thread)
            else:
                thread.submit(connections.close_all)
                thread.shutdown(wait=False)


class Slot:
    """A place among the requests that run at the same time, for one that is about to run in a thread."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._loop, self._slots, self._is_held = asyncio.get_running_loop(), slots, True

    def run[**P, R](self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Does the work in this thread, which can give the slot up."""
        _current.slot = self
        try:
            return work(*args, **kwargs)
        finally:
            _current.slot = None

    def give_up(self) -> None:
        """Lets the next request run. May be called from any thread, and more than once."""
        if self._is_held:
            self._is_held = False
            self._loop.call_soon_threadsafe(self._slots.release)


_current = threading.local()


def give_up_slot() -> None:
    """Lets another request run, because the one of this thread, if any, is going to wait for others."""
    if slot := getattr(_current, "slot", None):
        slot.give_up()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Returns the event loop that runs in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
