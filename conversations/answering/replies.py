"""The replies that this process writes, and their one owner."""

import asyncio

from asgiref.sync import sync_to_async
from django.tasks import task

from conversations.answering import runner, saving
from conversations.answering.relay import Relay
from conversations.answering.upstream_call import until_settled
from conversations.models import Generation, Message

LAST_SAVE = 5.0
"""Seconds that replies get to save their text when the process has to end now."""


class Replies:
    """Starts, finds and stops replies, and lets them end before the process does.

    The event loop on which replies run owns it. `find`, `stop`, `running` and
    `apply_deletion` may be called from any thread.
    """

    def __init__(self) -> None:
        self._relays: dict[int, Relay] = {}
        """By conversation, in which one reply is written at a time; from its first frame to its last."""
        self._streams: dict[int, tuple[Relay, asyncio.Task[None]]] = {}
        """By generation, while its model or its tools are at work."""
        self._lives: set[asyncio.Task[None]] = set()
        self._is_closing = False

    def find(self, conversation_pk: int) -> Relay | None:
        """The reply that is being written in this conversation, here."""
        return self._relays.get(conversation_pk)

    def running(self) -> list[int]:
        """The generations that are written here, until they are booked."""
        return [relay.generation.pk for relay in list(self._relays.values())]

    async def write(self, generation_pk: int) -> None:
        """Writes a queued generation to its end. Harmless when another call has claimed it."""
        assignment = None if self._is_closing else await sync_to_async(runner.take_up)(generation_pk)
        if assignment is None:
            return
        life = asyncio.create_task(self._live(assignment))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        await life

    def stop(self, generation_pk: int) -> None:
        """Ends a reply that is written here, as a person asked. Elsewhere it is heard of through the database."""
        if stream := self._streams.get(generation_pk):
            relay, streaming = stream
            relay.stop_asked = True
            streaming.get_loop().call_soon_threadsafe(streaming.cancel)

    def apply_deletion(self, message: Message) -> None:
        """Has a reply that is being written know that its message was deleted or restored."""
        relay = self.find(message.conversation_id)
        if relay and relay.message.pk == message.pk:
            relay.message.deleted_at, relay.message.shown_since = message.deleted_at, message.shown_since

    async def close(self) -> None:
        """Starts nothing more and waits for the replies to end. Cancelled, it interrupts them; their text is kept."""
        self._is_closing = True
        if not self._lives:
            return
        try:
            await asyncio.wait(self._lives)
        except asyncio.CancelledError:
            for _, streaming in self._streams.values():
                streaming.cancel()
            await asyncio.wait(self._lives, timeout=LAST_SAVE)

    def show(self, relay: Relay) -> None:
        """The page's empty message becomes one that grows; who comes late finds it here."""
        self._relays[relay.generation.conversation_id] = relay
        relay.start()

    async def finish(self, relay: Relay, outcome: runner.Outcome) -> None:
        """Books the end, however long that takes; viewers see the reply as running until it is done."""
        conversation = relay.generation.conversation
        try:
            message = await saving.insisting(conversation.pk, lambda: runner.book(relay, outcome))
        except Generation.NotUpdated:
            runner.logger.warning("Generation %s has ended, and its conversation is gone", relay.generation.pk)
            return
        self.release(relay)
        relay.end(message)
        saving.tell(conversation.pk, is_behind=False)
        await runner.show_in_lists(conversation)

    def release(self, relay: Relay) -> None:
        if self.find(relay.generation.conversation_id) is relay:
            del self._relays[relay.generation.conversation_id]

    async def _live(self, assignment: runner.Assignment) -> None:
        relay = Relay(assignment.generation, assignment.message)
        try:
            self.show(relay)
            await runner.show_in_lists(assignment.generation.conversation)
            outcome = assignment.refusal or await self._stream(relay, assignment)
            await self.finish(relay, outcome)
            await until_settled(assignment.generation.pk)
        finally:
            self.release(relay)
        await start_next(assignment.generation.conversation_id)

    async def _stream(self, relay: Relay, assignment: runner.Assignment) -> runner.Outcome:
        pk = relay.generation.pk
        streaming = asyncio.create_task(runner.carried(relay, assignment))
        self._streams[pk] = relay, streaming
        saving.keep(relay, lambda: self.stop(pk))
        try:
            await asyncio.wait([streaming])
            return runner.outcome_of(relay, streaming)
        finally:
            saving.release(relay)
            del self._streams[pk]


local = Replies()
"""This process's; a test puts one of its own in its place."""


@task
async def generate(generation_pk: int) -> None:
    """Writes one queued generation; harmless when it was claimed already."""
    await local.write(generation_pk)


async def start_next(conversation_pk: int) -> None:
    """Begins the reply whose turn it is, if one waits."""
    waiting = Generation.objects.next_in_line().filter(conversation_id=conversation_pk)
    if (pk := await waiting.values_list("pk", flat=True).afirst()) is not None:
        await generate.aenqueue(pk)
