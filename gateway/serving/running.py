"""The calls that this process makes for programs, under one owner."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Final

from django.db import DatabaseError

from gateway.problems import Problem
from gateway.serving import calls, outgoing
from gateway.serving.admission import find_ended_keys
from gateway.serving.calls import ProgramCall
from gateway.serving.threads import in_thread

CHECK_INTERVAL = 0.5
"""Seconds between two checks of whether the keys of the running calls are still valid."""
LAST_WRITE = 5.0
"""Seconds that calls get to write their ends when the process has to end now."""
_RESTARTING: Final = Problem(503, "api_error", "This site is restarting. Try again in a moment.", should_retry=True)

logger = logging.getLogger(__name__)
_find_ended_keys = in_thread(find_ended_keys)


class RunningCalls:
    """Runs calls, ends those whose key is not valid any more, and lets calls end before the process does.

    One event loop owns it. `check_soon` may be called from any thread.
    """

    def __init__(self) -> None:
        self._calls: set[ProgramCall] = set()
        self._requests: set[asyncio.Task[None]] = set()
        self._checking: asyncio.Task[None] | None = None
        self._check_now = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closing = False

    @property
    def count(self) -> int:
        return len(self._calls)

    def require_open(self) -> None:
        """Raises a Problem when the process is about to end."""
        if self._is_closing:
            raise _RESTARTING

    async def run(
        self,
        call: ProgramCall,
        until_gone: Coroutine[None, None, None],
        keep_alive: Callable[[], Coroutine[None, None, None]] | None = None,
    ) -> None:
        """Runs the call in the task of its request, and ends it when the program has left or stopped reading.

        `until_gone` returns when it has left, `keep_alive` when it has stopped reading.
        """
        request, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert request is not None
        watching: list[asyncio.Task[None]] = []

        def watch(what: Coroutine[None, None, None]) -> None:
            watching.append(loop.create_task(what))
            watching[-1].add_done_callback(leave)

        def leave(_: object) -> None:
            call.has_left = True
            request.cancel()

        self._calls.add(call)
        self._requests.add(request)
        request.add_done_callback(self._requests.discard)
        self._ensure_checking()
        watch(until_gone)
        # Most calls end before this.
        timer = loop.call_later(outgoing.KEEP_ALIVE, lambda: watch(keep_alive())) if keep_alive else None
        try:
            await call.run()
        except asyncio.CancelledError:
            if not call.has_left or request.uncancel():
                raise
        finally:
            self._calls.discard(call)
            if timer:
                timer.cancel()
            for task in watching:
                task.remove_done_callback(leave)
                task.cancel()

    def check_soon(self) -> None:
        """Checks the keys now instead of within CHECK_INTERVAL."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._check_now.set)

    async def close(self) -> None:
        """Refuses further calls and waits for the running ones. If cancelled, it ends them with an error event."""
        self._is_closing = True
        try:
            while pending := self._requests | calls.settling:
                await asyncio.wait(pending)
        except asyncio.CancelledError:
            for call in self._calls:
                call.end(_RESTARTING)
            if pending := self._requests | calls.settling:
                await asyncio.wait(pending, timeout=LAST_WRITE)
            raise

    def _ensure_checking(self) -> None:
        if self._checking is None or self._checking.done():
            self._loop = asyncio.get_running_loop()
            # A context of its own: its log lines belong to no call.
            self._checking = self._loop.create_task(self._check_regularly(), context=Context())

    async def _check_regularly(self) -> None:
        while self._calls:
            try:
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._check_now.wait()
            except TimeoutError:
                pass
            self._check_now.clear()
            try:
                await self._check()
            except DatabaseError:
                logger.warning("Could not check the keys of running calls; trying again", exc_info=True)

    async def _check(self) -> None:
        if keys := {call.key_pk for call in self._calls}:
            problems = await _find_ended_keys(keys)
            for call in self._calls:
                if problem := problems.get(call.key_pk):
                    call.end(problem)


local = RunningCalls()
"""This process's calls; a test puts a fresh owner in its place."""
