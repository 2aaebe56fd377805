"""Looks, as long as somebody is here, for what was left behind: replies whose process died, turns, files, bins."""

import asyncio
import logging
from datetime import timedelta

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.utils.timezone import now

from conversations import uploads
from conversations.answering import replies
from conversations.upkeep import recovery, retention
from ledger.booking import entries
from upstreams.client import LIMITS

INTERVAL = 15.0
"""Seconds between two looks."""
QUIET = timedelta(seconds=30)
"""A running reply is saved about once a second; one that was not for so long has lost its process."""
LONGEST_CALL = timedelta(seconds=2 * LIMITS.whole)
"""A call to an upstream that is open for longer has lost its process."""
SWEEP_INTERVAL = 3600.0
"""Seconds between two looks for files that belong to nothing any more, and for what was deleted long ago."""

logger = logging.getLogger(__name__)

_watch: asyncio.Task[None] | None = None


def ensure_running() -> None:
    """Has the running loop watched from now on. Servers differ in what they call at their start; a tab always comes."""
    global _watch
    loop = asyncio.get_running_loop()
    if _watch is None or _watch.done() or _watch.get_loop() is not loop:
        _watch = loop.create_task(_look())


async def _look() -> None:
    clock = asyncio.get_running_loop().time
    sweep_at = purge_at = clock()
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            for pk in await sync_to_async(recovery.recover)(now() - QUIET):
                await replies.generate.aenqueue(pk)
            if clock() >= sweep_at:
                sweep_at = clock() + SWEEP_INTERVAL
                await sync_to_async(uploads.sweep)()
                await sync_to_async(entries.recover)(before=now() - LONGEST_CALL)
            if clock() >= purge_at:
                # In a thread of its own: nobody's question waits behind what nobody waits for.
                has_more = await database_sync_to_async(retention.purge, thread_sensitive=False)()
                purge_at = clock() + (0 if has_more else SWEEP_INTERVAL)
        except (DatabaseError, OSError):
            logger.warning("Could not look for what was left behind", exc_info=True)
