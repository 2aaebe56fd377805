"""Saves all running replies of this process once a second, in one short transaction and a thread of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from channels.db import database_sync_to_async
from django.core.exceptions import ObjectNotUpdated
from django.db import DatabaseError, IntegrityError, transaction
from django.utils.timezone import now

from chatsite.sql import Statement
from conversations.answering.relay import Relay
from conversations.live import broadcasts
from conversations.models import Generation, Message

INTERVAL = 1.0
"""Seconds between two savings: what a crash may cost, and how soon a stop asked for elsewhere is heard."""

PATIENCE = 2.0
"""Seconds that a saving may take before viewers are told."""

SAVE_BLOCKS = Statement(
    f"UPDATE {Message._meta.db_table} SET blocks = %s WHERE id = %s",  # noqa: S608
    [Message._meta.get_field("blocks"), None],
)

logger = logging.getLogger(__name__)

_running: dict[Relay, Callable[[], None]] = {}
_behind: set[int] = set()
"""Conversations whose viewers were told that saving is behind."""
_writer: asyncio.Task[None] | None = None
_thread = ThreadPoolExecutor(1, thread_name_prefix="saving")


def saving[**P, R](write: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """`write` as a coroutine: while it waits for a database that is locked, others go on asking theirs."""
    in_its_thread: Callable[P, Awaitable[R]] = database_sync_to_async(write, thread_sensitive=False, executor=_thread)
    return in_its_thread


async def insisting[R](conversation_pk: int, write: Callable[[], R]) -> R:
    """Writes what must not be lost, however long that takes; viewers are told when it does."""
    pause = 0.5
    while True:
        try:
            written = await saving(write)()
        except (IntegrityError, ObjectNotUpdated):
            # What it is about is gone: trying again does not bring it back.
            raise
        except DatabaseError:
            logger.warning("Conversation %s could not be saved; trying again", conversation_pk, exc_info=True)
            tell(conversation_pk, is_behind=True)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 10)
        else:
            return written


def keep(relay: Relay, stop: Callable[[], None]) -> None:
    """Saves the reply from now on; calls `stop` when somebody asked for it through the database."""
    global _writer
    _running[relay] = stop
    if _writer is None or _writer.done():
        _writer = asyncio.get_running_loop().create_task(_write())


def release(relay: Relay) -> None:
    _running.pop(relay, None)


def tell(conversation_pk: int, *, is_behind: bool) -> None:
    """Tells the conversation's viewers, once, that saving is behind, and once that it is not any more."""
    if is_behind != (conversation_pk in _behind):
        (_behind.add if is_behind else _behind.discard)(conversation_pk)
        broadcasts.saving_is_behind(conversation_pk, is_behind=is_behind)


async def _write() -> None:
    await asyncio.sleep(INTERVAL)
    while _running:
        for pk in await _saved():
            for relay, stop in list(_running.items()):
                if relay.generation.pk == pk:
                    stop()
        await asyncio.sleep(INTERVAL)


async def _saved() -> set[int]:
    """Saves what there is; tells viewers when that takes long or fails. Returns whom to stop."""
    drafts = {relay.generation.pk: (relay.message.pk, relay.draft.blocks) for relay in _running}
    saved = asyncio.ensure_future(saving(save)(drafts))
    await asyncio.wait([saved], timeout=PATIENCE)
    if not saved.done():
        _tell_all(is_behind=True)
    try:
        to_stop = await saved
    except DatabaseError:
        logger.warning("Running replies could not be saved; trying again", exc_info=True)
        _tell_all(is_behind=True)
        return set()
    _tell_all(is_behind=False)
    return to_stop


def _tell_all(*, is_behind: bool) -> None:
    for relay in _running:
        tell(relay.generation.conversation_id, is_behind=is_behind)


@transaction.atomic
def save(drafts: dict[int, tuple[int, list[dict[str, Any]]]]) -> set[int]:
    """Writes (message key, blocks) by generation key; returns the generations that were asked to stop."""
    save_blocks(drafts.values())
    running = Generation.objects.filter(pk__in=drafts)
    running.update(heartbeat_at=now())
    return set(running.exclude(stop_asked_at=None).values_list("pk", flat=True))


def save_blocks(drafts: Iterable[tuple[int, list[dict[str, Any]]]]) -> None:
    """Writes blocks by message key."""
    SAVE_BLOCKS.execute_many((blocks, pk) for pk, blocks in drafts)
