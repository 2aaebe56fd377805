"""Starts the queued replies that no process has begun to write."""

import asyncio
from typing import Any, Final

from chatsite.failures.failure_log import FailureLog
from chatsite.process.threads import database_sync_to_async
from conversations.answering import replies
from conversations.live.hub import Hub, hub
from conversations.models import Generation

LOOK: Final = 2.0
"""Seconds between two looks into the database, for what the bus has lost and without a bus."""
YIELD: Final = 0.005
"""Seconds that a process waits for each of its running replies, so that one with less work claims first."""

failures = FailureLog("Looking for queued answers")


class Queue:
    """Takes work from other processes, on the event loop, from `start` to `stop`."""

    def __init__(self, hub: Hub) -> None:
        self._task: asyncio.Task[None] | None = None
        self._takings: set[asyncio.Task[Any]] = set()
        hub.listen(replies.WORK, self._hear)

    def start(self) -> None:
        self._task = asyncio.create_task(self._look_regularly())

    def stop(self) -> None:
        if self._task:
            self._task.cancel()
            self._task = None

    def _hear(self, generation_pk: int) -> None:
        if self._task:
            taking = asyncio.create_task(self._take(generation_pk))
            self._takings.add(taking)
            taking.add_done_callback(self._takings.discard)

    async def _take(self, generation_pk: int) -> None:
        await asyncio.sleep(YIELD * len(replies.local.running()))
        if self._task and not replies.local.is_writing(generation_pk):
            await replies.generate.aenqueue(generation_pk)

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            try:
                for pk in await database_sync_to_async(list_waiting)():
                    self._hear(pk)
                failures.note_success()
            except Exception as error:
                failures.note_failure(error)


def list_waiting() -> list[int]:
    """Returns the keys of the queued generations that can start, the oldest first."""
    return list(Generation.objects.next_in_line().order_by("pk").values_list("pk", flat=True))


local = Queue(hub)
"""This process's way to take work."""
