"""Saves running replies in a thread of their own."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from django.db import connection, transaction
from prometheus_client import Histogram

from chatsite.failures.failure_log import SHORTAGES
from chatsite.failures.retrying import failures, retry_until_saved
from chatsite.process.threads import OwnThread, database_sync_to_async
from chatsite.sql import Statement
from conversations.answering.relay import Relay
from conversations.live import broadcasts
from conversations.models import Generation, Message

INTERVAL = 1.0
"""Seconds between two saves: what a crash can lose, and how soon a stop from another process takes effect."""

PATIENCE = 2.0
"""Seconds that a save can take before viewers are warned."""

DELAY: Final = Histogram(
    "chatsite_save_seconds",
    "Seconds that saving all running replies took.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

SAVE_BLOCKS = Statement(
    f"UPDATE {Message._meta.db_table} SET blocks = %s WHERE id = %s",  # noqa: S608
    [Message._meta.get_field("blocks"), None],
)


class Unsaved(NamedTuple):
    """What a save needs to know of a reply."""

    generation: int
    claims: int
    message: int
    blocks: list[dict[str, Any]]


class Found(NamedTuple):
    """Keys of generations that a save has found changed by others."""

    stopped: frozenset[int] = frozenset()
    """A person has asked to stop them."""
    lost: frozenset[int] = frozenset()
    """Another process has taken or ended them, so they were not saved."""


NOTHING = Found()


class Saver:
    """The only writer of running replies. Its writes reach the database in the order of the calls.

    It has its own thread and connection, so that others can read while it waits for a locked database, and a crowd of
    requests cannot delay it.
    """

    def __init__(self) -> None:
        self._thread = OwnThread("saving")
        self._behind: set[int] = set()
        """Conversations whose viewers have been warned that saving is behind."""

    async def connect(self) -> None:
        """Starts the thread and opens its connection, so that later a write needs no new file descriptor."""
        # Each thread has a connection of its own: `connection` has to be looked up in the one that saves.
        await self._in_thread(lambda: connection.ensure_connection())

    async def write[R](self, conversation_pk: int, write: Callable[[], R]) -> R:
        """Retries a write until it succeeds, and warns viewers when it fails."""
        on_failure = partial(self.report, conversation_pk, is_behind=True)
        return await retry_until_saved(partial(self._in_thread, write), on_failure=on_failure)

    async def save(self, relays: Collection[Relay]) -> "Found":
        """Saves all replies in one transaction."""
        drafts = [
            Unsaved(relay.generation.pk, relay.generation.claims, relay.message.pk, relay.draft.blocks)
            for relay in relays
        ]
        conversations = [relay.generation.conversation_id for relay in relays]
        saving = asyncio.ensure_future(self._in_thread(partial(save, drafts)))
        try:
            with DELAY.time():
                await asyncio.wait([saving], timeout=PATIENCE)
                if not saving.done():
                    self.report(*conversations, is_behind=True)
                found = await saving
        except SHORTAGES as error:
            failures.note_failure(error)
            self.report(*conversations, is_behind=True)
            return NOTHING
        failures.note_success()
        self.report(*conversations, is_behind=False)
        return found

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
def save(drafts: Sequence[Unsaved]) -> Found:
    """Saves the blocks of the replies that are still this process's own."""
    running = Generation.objects.running().filter(pk__in=[draft.generation for draft in drafts])
    # Locked, so that no other process takes one between this look and the write.
    held = {
        pk: (claims, stop_asked_at is not None)
        for pk, claims, stop_asked_at in running.select_for_update()
        .order_by("pk")
        .values_list("pk", "claims", "stop_asked_at")
    }
    own = [draft for draft in drafts if held.get(draft.generation, (None,))[0] == draft.claims]
    SAVE_BLOCKS.execute_many((draft.blocks, draft.message) for draft in own)
    kept = {draft.generation for draft in own}
    return Found(
        stopped=frozenset(pk for pk in kept if held[pk][1]),
        lost=frozenset(draft.generation for draft in drafts) - kept,
    )
