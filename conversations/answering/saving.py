"""Saves running replies in a thread of their own."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from channels.db import database_sync_to_async
from django.db import connection, transaction
from django.utils.timezone import now

from chatsite.failure_log import SHORTAGES
from chatsite.retrying import failures, retry_until_saved
from chatsite.sql import Statement
from conversations.answering.relay import Relay
from conversations.live import broadcasts
from conversations.models import Generation, Message

INTERVAL = 1.0
"""Seconds between two saves: what a crash can lose, and how soon a stop from another process takes effect."""

PATIENCE = 2.0
"""Seconds that a save can take before viewers are warned."""

SAVE_BLOCKS = Statement(
    f"UPDATE {Message._meta.db_table} SET blocks = %s WHERE id = %s",  # noqa: S608
    [Message._meta.get_field("blocks"), None],
)


class Saver:
    """The only writer of running replies. Its writes reach the database in the order of the calls.

    It has its own thread, so that others can read while it waits for a locked database.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="saving")
        self._behind: set[int] = set()
        """Conversations whose viewers have been warned that saving is behind."""

    async def connect(self) -> None:
        """Starts the thread and opens its connection, so that later a write needs no new file descriptor."""
        await self._in_thread(connection.ensure_connection)

    async def write[R](self, conversation_pk: int, write: Callable[[], R]) -> R:
        """Retries a write until it succeeds, and warns viewers when it fails."""
        on_failure = partial(self.report, conversation_pk, is_behind=True)
        return await retry_until_saved(partial(self._in_thread, write), on_failure=on_failure)

    async def save(self, relays: Collection[Relay]) -> set[int]:
        """Saves all replies in one transaction. Returns the generations that should stop."""
        drafts = {relay.generation.pk: (relay.message.pk, relay.draft.blocks) for relay in relays}
        conversations = [relay.generation.conversation_id for relay in relays]
        saving = asyncio.ensure_future(self._in_thread(partial(save, drafts)))
        await asyncio.wait([saving], timeout=PATIENCE)
        if not saving.done():
            self.report(*conversations, is_behind=True)
        try:
            to_stop = await saving
        except SHORTAGES as error:
            failures.note_failure(error)
            self.report(*conversations, is_behind=True)
            return set()
        failures.note_success()
        self.report(*conversations, is_behind=False)
        return to_stop

    def report(self, *conversations: int, is_behind: bool) -> None:
        """Tells the viewers of each conversation once that saving is behind, and once that it has caught up."""
        for pk in conversations:
            if is_behind != (pk in self._behind):
                (self._behind.add if is_behind else self._behind.discard)(pk)
                broadcasts.announce_saving_delay(pk, is_behind=is_behind)

    def close(self) -> None:
        """Waits for the current write. Call it from any thread but the event loop's."""
        self._thread.shutdown()

    def _in_thread[R](self, write: Callable[[], R]) -> Awaitable[R]:
        written: Awaitable[R] = database_sync_to_async(write, thread_sensitive=False, executor=self._thread)()
        return written


@transaction.atomic
def save(drafts: Mapping[int, tuple[int, list[dict[str, Any]]]]) -> set[int]:
    """Saves (message key, blocks) by generation key. Returns the generations that should stop."""
    SAVE_BLOCKS.execute_many((blocks, pk) for pk, blocks in drafts.values())
    running = Generation.objects.filter(pk__in=drafts)
    running.update(heartbeat_at=now())
    return set(running.exclude(stop_asked_at=None).values_list("pk", flat=True))
