"""Looks, as long as somebody is here, for replies whose process died and turns that nobody took up."""

import asyncio
import logging
from datetime import timedelta

from asgiref.sync import sync_to_async
from django.db import DatabaseError
from django.utils.timezone import now

from conversations import runner, turns

INTERVAL = 15.0
"""Seconds between two looks."""
QUIET = timedelta(seconds=30)
"""A running reply is saved about once a second; one that was not for so long has lost its process."""

logger = logging.getLogger(__name__)

_watch: asyncio.Task[None] | None = None


def keep() -> None:
    """Has the running loop watched from now on. Servers differ in what they call at their start; a tab always comes."""
    global _watch
    loop = asyncio.get_running_loop()
    if _watch is None or _watch.done() or _watch.get_loop() is not loop:
        _watch = loop.create_task(_look())


async def _look() -> None:
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            for pk in await sync_to_async(turns.recover)(now() - QUIET):
                await runner.generate.aenqueue(pk)
        except DatabaseError:
            logger.warning("Could not look for replies that were left behind", exc_info=True)
