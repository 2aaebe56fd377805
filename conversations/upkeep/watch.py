"""Cleans up regularly: replies of lost processes, queued turns, unused files, old deletions."""

import asyncio
from datetime import timedelta

from django.utils.timezone import now

from chatsite.failures.failure_log import FailureLog
from chatsite.process import lease
from chatsite.process.threads import database_sync_to_async
from conversations import uploads
from conversations.answering import replies
from conversations.upkeep import recovery, retention
from conversations.verbs import turns
from ledger.booking import entries
from upstreams.client import LIMITS

INTERVAL = 15.0
"""Seconds between two rounds."""
LONGEST_CALL = timedelta(seconds=2 * LIMITS.whole)
"""If an upstream call has been open for longer, its process is gone."""
SWEEP_INTERVAL = 3600.0
"""Seconds between two searches for unused files and old deletions."""

failures = FailureLog("Upkeep")


class UpkeepLoop:
    """Cleans up on the event loop, from the start of the process to its end."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._sweep_at = self._purge_at = 0.0

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self._clean_up(asyncio.get_running_loop().time())
                failures.note_success()
            except Exception as error:
                # Whatever fails in one round, the next one cleans up what it can.
                failures.note_failure(error)

    async def _clean_up(self, moment: float) -> None:
        await take_over()
        await database_sync_to_async(turns.end_answers_without_asker)()
        if await database_sync_to_async(lease.local.is_first)():
            await self._clear_away(moment)

    async def _clear_away(self, moment: float) -> None:
        if moment >= self._sweep_at:
            self._sweep_at = moment + SWEEP_INTERVAL
            await database_sync_to_async(uploads.sweep)()
            await database_sync_to_async(entries.recover)(before=now() - LONGEST_CALL)
        if moment >= self._purge_at:
            # Nobody waits for a purge, so it must not block the shared thread.
            has_more = await database_sync_to_async(retention.purge, thread_sensitive=False)()
            self._purge_at = moment + (0 if has_more else SWEEP_INTERVAL)


async def take_over() -> None:
    """Ends what lost processes were writing and calling, and starts queued answers."""
    waiting = await database_sync_to_async(recovery.recover)()
    await database_sync_to_async(entries.recover)()
    for pk in waiting:
        await replies.generate.aenqueue(pk)


local = UpkeepLoop()
"""This process's upkeep loop."""
