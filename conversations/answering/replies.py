"""The replies that this process writes, under one owner."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import partial

from django.db import DatabaseError
from django.tasks import task

from chatsite.failures.retrying import failures, retry_until_saved
from chatsite.logs.request_ids import make_answer_id, set_request_id
from chatsite.process.threads import database_sync_to_async
from conversations.answering import saving
from conversations.answering.claim import claim
from conversations.answering.ending import INTERRUPTED, STOPPED, Ending
from conversations.answering.permission import AskerGone
from conversations.answering.relay import Relay
from conversations.answering.reply import RunningReply
from conversations.live.hub import hub
from conversations.models import Generation, Message

CHECK_INTERVAL = 0.5
"""Seconds between two checks of whether the people who asked for the running replies still have accounts."""
WORK = "work"
"""The topic on which processes hear of queued generations."""
LAST_SAVE = 5.0
"""Seconds that replies get to save their text when the process has to end now."""

logger = logging.getLogger(__name__)


class Replies:
    """Starts, finds, saves and stops replies, and lets them end before the process does.

    One event loop owns it. `find`, `running`, `is_writing`, `stop`, `stop_without_asker` and
    `apply_deletion` may be called from any thread.
    """

    def __init__(self) -> None:
        self.saver = saving.Saver()
        self._replies: dict[int, RunningReply] = {}
        """By conversation: in each, one reply is written at a time."""
        self._tasks: dict[asyncio.Task[None], int] = {}
        """With the keys of their generations, from before the claim until the end is saved."""
        self._starting = ThreadPoolExecutor(1, thread_name_prefix="starting")
        self._saving: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        self._is_closing = False
        self._cut: Ending | None = None
        """How all replies have to end now."""
        self.takes_work = True
        """Whether this process writes replies."""

    async def write(self, generation_pk: int) -> None:
        """Writes a queued generation to its end. Does nothing if it has been claimed already.

        If this process writes no replies, or no more, it leaves the generation to others.
        """
        if self._is_closing or not self.takes_work:
            hub.tell(WORK, generation_pk)
            return
        task = asyncio.create_task(self._claim_and_run(generation_pk))
        self._tasks[task] = generation_pk
        task.add_done_callback(self._tasks.pop)
        await task

    def find(self, conversation_pk: int) -> Relay | None:
        """Returns the reply that is being written in this conversation, until its end is saved."""
        reply = self._replies.get(conversation_pk)
        return reply.relay if reply and not reply.relay.has_ended else None

    def running(self) -> list[RunningReply]:
        return list(self._replies.values())

    def is_writing(self, generation_pk: int) -> bool:
        """Whether this process writes the generation, or is about to."""
        return generation_pk in list(self._tasks.values())

    def stop(self, generation_pk: int, ending: Ending = STOPPED) -> None:
        """Stops a reply that this process writes. Other processes learn of a stop from the database."""
        for reply in self.running():
            if reply.generation.pk == generation_pk:
                reply.stop(ending)

    def stop_without_asker(self) -> None:
        """Stops the replies of this process that were asked for by people whose accounts have ended."""
        pks = [reply.generation.pk for reply in self.running()]
        for generation in Generation.objects.without_asker().filter(pk__in=pks).select_related("asked_by"):
            self.stop(generation.pk, Ending.of(AskerGone(generation.asked_by), has_content=True))

    def apply_deletion(self, message: Message) -> None:
        """Updates a running reply whose message has been deleted or restored."""
        relay = self.find(message.conversation_id)
        if relay and relay.message.pk == message.pk:
            relay.message.deleted_at, relay.message.shown_since = message.deleted_at, message.shown_since

    async def close(self, ending: Ending = INTERRUPTED) -> None:
        """Starts no more replies and waits for the running ones. If cancelled, it ends them in this way."""
        self._is_closing = True
        if not self._tasks:
            return
        try:
            await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            await self.cut(ending)

    async def cut(self, ending: Ending = INTERRUPTED) -> None:
        """Starts no more replies and ends the running ones now; their text is kept."""
        self._is_closing, self._cut = True, ending
        for reply in self.running():
            reply.cut(ending)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_SAVE)
        for loop in (self._saving, self._checking):
            if loop:
                loop.cancel()

    def close_threads(self) -> None:
        """Waits for what they are doing. Call it from any thread but the event loop's."""
        self._starting.shutdown()
        self.saver.close()

    def show(self, reply: RunningReply) -> None:
        """Starts showing the reply. Viewers that join late find it here."""
        self._replies[reply.generation.conversation_id] = reply
        reply.relay.start()

    async def _claim_and_run(self, generation_pk: int) -> None:
        set_request_id(make_answer_id(generation_pk))
        claimed = await self._until_done(partial(claim, generation_pk))
        if claimed is None:
            return
        reply = RunningReply(claimed, self.saver)
        conversation_pk = claimed.generation.conversation_id
        if self._cut:
            reply.cut(self._cut)
        try:
            self.show(reply)
            self._ensure_attended()
            await reply.run()
        finally:
            if self._replies.get(conversation_pk) is reply:
                del self._replies[conversation_pk]
        if (queued := await self._until_done(partial(find_next, conversation_pk))) is not None:
            await generate.aenqueue(queued)

    async def _until_done[R](self, work: Callable[[], R]) -> R:
        """Repeats work of the start of a reply, in a thread of its own, until the database lets it."""
        in_thread = database_sync_to_async(work, thread_sensitive=False, executor=self._starting)
        return await retry_until_saved(in_thread)

    def _ensure_attended(self) -> None:
        """Starts what all replies need. Its log lines belong to none of them."""
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save_regularly(), context=Context())
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_regularly(), context=Context())

    async def _check_regularly(self) -> None:
        """Finds what other processes and commands have changed."""
        while self.running():
            await asyncio.sleep(CHECK_INTERVAL)
            try:
                await database_sync_to_async(self.stop_without_asker)()
            except DatabaseError:
                logger.warning("Could not check who asked for the running replies; trying again", exc_info=True)

    async def _save_regularly(self) -> None:
        """Saves while there are running replies, and stops those whose stop another process has recorded."""
        await asyncio.sleep(saving.INTERVAL)
        while replies := self.running():
            if growing := [reply.relay for reply in replies if reply.is_growing]:
                try:
                    found = await self.saver.save(growing)
                except Exception as bug:
                    # The next round saves again. Without one, a crash would lose everything that follows.
                    failures.note_failure(bug)
                    found = saving.NOTHING
                for generation_pk in found.stopped:
                    self.stop(generation_pk)
                for reply in replies:
                    if reply.generation.pk in found.lost:
                        reply.cut()
            await asyncio.sleep(saving.INTERVAL)


local = Replies()
"""This process's replies; a test puts a fresh owner in its place."""


@task
async def generate(generation_pk: int) -> None:
    """Writes a queued generation. Does nothing if it has been claimed already."""
    await local.write(generation_pk)


async def start_next(conversation_pk: int) -> None:
    """Starts the next queued reply of this conversation, if there is one."""
    if (pk := await database_sync_to_async(find_next)(conversation_pk)) is not None:
        await generate.aenqueue(pk)


def find_next(conversation_pk: int) -> int | None:
    queued = Generation.objects.next_in_line().filter(conversation_id=conversation_pk)
    return queued.values_list("pk", flat=True).first()
