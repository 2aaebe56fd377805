"""Saves all running replies of this process once a second, in one short transaction."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, transaction
from django.utils.timezone import now

from conversations.models import Generation, Message
from conversations.relay import Relay

INTERVAL = 1.0
"""Seconds between two savings: what a crash may cost, and how soon a stop asked for elsewhere is heard."""

logger = logging.getLogger(__name__)

_running: dict[Relay, Callable[[], None]] = {}
_writer: asyncio.Task[None] | None = None


def keep(relay: Relay, stop: Callable[[], None]) -> None:
    """Saves the reply from now on; calls `stop` when somebody asked for it through the database."""
    global _writer
    _running[relay] = stop
    if _writer is None or _writer.done():
        _writer = asyncio.get_running_loop().create_task(_write())


def release(relay: Relay) -> None:
    _running.pop(relay, None)


async def _write() -> None:
    await asyncio.sleep(INTERVAL)
    while _running:
        drafts = {relay.generation.pk: (relay.message.pk, relay.draft.blocks) for relay in _running}
        try:
            to_stop = await sync_to_async(save)(drafts)
        except DatabaseError:
            logger.warning("Running replies could not be saved; trying again", exc_info=True)
        else:
            for relay, stop in list(_running.items()):
                if relay.generation.pk in to_stop:
                    stop()
        await asyncio.sleep(INTERVAL)


@transaction.atomic
def save(drafts: dict[int, tuple[int, list[dict[str, Any]]]]) -> set[int]:
    """Writes (message key, blocks) by generation key; returns the generations that were asked to stop."""
    for message_pk, blocks in drafts.values():
        Message.objects.filter(pk=message_pk).update(blocks=blocks)
    running = Generation.objects.filter(pk__in=drafts)
    running.update(heartbeat_at=now())
    return set(running.exclude(stop_asked_at=None).values_list("pk", flat=True))
