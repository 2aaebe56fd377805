"""The life of one reply: it is shown to viewers, written by its model and tools, and saved."""

import asyncio
import logging
import traceback
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from django.conf import settings
from django.db import transaction

from chatsite.failures.failure_log import SHORTAGES
from chatsite.failures.retrying import retry_until_saved
from chatsite.process.threads import database_sync_to_async
from conversations.answering.claim import Answerable, Claimed, build_follow_up
from conversations.answering.ending import HANDED_OVER, INTERRUPTED, STOPPED, Ending, prepare_handover, save_ending
from conversations.answering.permission import AskerGone, ModelOff, Revoked, require_claim
from conversations.answering.relay import Relay, showing_failures
from conversations.answering.saving import Saver
from conversations.answering.upstream_call import UpstreamCalls
from conversations.live import broadcasts
from conversations.models import Conversation, Generation, Message, State
from conversations.models.generation import INTERNAL
from conversations.prompt.toolbox import TOO_MANY, error_result, unanswered_calls
from ledger.booking.entries import CallRefused
from upstreams.errors import EmptyReply, InvalidRequest, UpstreamError

OUR_FAULT = "Something went wrong on our side. The error has been logged. Try again, or tell an administrator."

logger = logging.getLogger(__name__)


class ApprovalNeeded(Exception):
    """The model calls tools that must not run until a person has allowed them."""

    def __init__(self, calls: Iterable[str]) -> None:
        super().__init__()
        self.calls = tuple(calls)


class RunningReply:
    """One claimed reply. `run` belongs to the event loop; `stop` and `cut` are thread-safe."""

    def __init__(self, claimed: Claimed, saver: Saver) -> None:
        self.relay = Relay(claimed.generation, claimed.message)
        self._claimed, self._saver = claimed, saver
        self._calls = UpstreamCalls(self.relay, saver)
        self._answering: asyncio.Task[None] | None = None
        self._tools_have_begun = False
        """Whether the tools of the last calls may be running."""
        self._is_cut = False
        self._cut = INTERRUPTED
        """How the reply ends if it is cut now."""

    @property
    def generation(self) -> Generation:
        return self.relay.generation

    @property
    def is_growing(self) -> bool:
        """Whether its model or its tools are working."""
        return self._answering is not None

    async def run(self) -> None:
        """Writes the reply to its end. Viewers see it already."""
        await self.finish(await self._ask())
        await self._calls.until_settled()

    def stop(self, ending: Ending = STOPPED) -> None:
        """Ends the reply in this way: a person asked for it, or the reply may not go on."""
        was_stopped = self.relay.is_stopped
        self.relay.is_stopped, self._cut = True, ending
        # A second cancellation would cut off what the first one lets end, such as storing an image.
        if not was_stopped:
            self._end_now()

    def cut(self, ending: Ending = INTERRUPTED) -> None:
        """Ends the reply in this way, unless it has been stopped."""
        if not self.relay.is_stopped:
            self._cut = ending
        self._end_now()

    def _end_now(self) -> None:
        self._is_cut = True
        if answering := self._answering:
            answering.get_loop().call_soon_threadsafe(answering.cancel)

    async def finish(self, ending: Ending) -> None:
        """Saves the end, however long that takes. Until then, viewers see the reply as running."""
        conversation = self.generation.conversation
        if ending == HANDED_OVER:
            prepare_handover(self.relay, tools_have_begun=self._tools_have_begun)
        try:
            message = await self._saver.write(conversation.pk, partial(save_ending, self.relay, ending))
        except Generation.NotUpdated:
            logger.warning("Generation %s was deleted, or taken over by another process", self.generation.pk)
            self.relay.has_ended = True
            await self._saver.write(conversation.pk, partial(show_as_saved, self.relay.message.pk))
            return
        self.relay.end(message)
        self._saver.report(conversation.pk, is_behind=False)
        await show_in_lists(conversation)

    async def _ask(self) -> Ending:
        """Runs the model and its tools. Returns how the reply ended."""
        if not isinstance(self._claimed, Answerable):
            return self._claimed.ending
        self._answering = asyncio.create_task(self._answer(self._claimed))
        if self._is_cut:
            self._answering.cancel()
        [answered], _ = await asyncio.wait([self._answering])
        self._answering = None
        ending = self._conclude(answered)
        clear_frames(answered)
        return ending

    async def _answer(self, claimed: Answerable) -> None:
        """Calls the model and runs its tool calls, until it makes no more."""
        relay, generation, toolbox = self.relay, self.generation, claimed.toolbox
        if not (generation.rounds and unanswered_calls(relay.draft.blocks)):
            await self._begin(claimed)
        while calls := unanswered_calls(relay.draft.blocks):
            if relay.draft.is_cut_in_call:
                return
            if needs_approval := [call["id"] for call in calls if toolbox.must_ask(call)]:
                raise ApprovalNeeded(needs_approval)
            generation.rounds = max(generation.rounds, 1)
            is_last = generation.rounds > settings.TOOL_ROUNDS
            if is_last:
                for call in calls:
                    relay.take_result(error_result(call, TOO_MANY))
            else:
                await retry_until_saved(database_sync_to_async(partial(require_claim, generation)))
                self._tools_have_begun = True
                await toolbox.run(calls, relay.take_result, relay.take_progress)
                self._tools_have_begun = False
            generation.rounds += 1
            relay.message.blocks = relay.draft.blocks
            build = partial(build_follow_up, generation, relay.message, claimed.endpoint, toolbox)
            request = await retry_until_saved(database_sync_to_async(build))
            relay.draft.begin_call()
            await self._calls.carry(claimed.endpoint, replace(request, tool_choice="none") if is_last else request)
            if is_last:
                return

    async def _begin(self, claimed: Answerable) -> None:
        try:
            await self._calls.carry(claimed.endpoint, claimed.request)
        except InvalidRequest:
            if claimed.fallback is None or self.relay.has_grown:
                raise
            await self._calls.carry(claimed.endpoint, claimed.fallback)

    def _conclude(self, answered: asyncio.Task[None]) -> Ending:
        if answered.cancelled():
            return self._cut
        has_content = self.relay.draft.has_content
        match answered.exception():
            case None:
                return Ending(State.COMPLETE)
            case ApprovalNeeded(calls=calls):
                self.generation.rounds = max(self.generation.rounds, 1)
                return Ending(State.WAITING, needs_approval=calls)
            case EmptyReply() if self.relay.is_continuation:
                # The text was complete already.
                return Ending(State.COMPLETE)
            case Revoked():
                return STOPPED
            case UpstreamError() as failure:
                return Ending.of(failure, failure.detail, has_content=has_content)
            case CallRefused() | ModelOff() | AskerGone() as refusal:
                return Ending.of(refusal, has_content=has_content)
            case bug:
                logger.error("Generation %s failed", self.generation.pk, exc_info=bug)
                return Ending(State.FAILED, INTERNAL, OUR_FAULT)


def clear_frames(ended: asyncio.Task[None]) -> None:
    """Clears the variables in the traceback of a task's error: they refer to the error and to the whole reply.

    Otherwise, the reply would stay in memory until the next garbage collection.
    """
    error = None if ended.cancelled() else ended.exception()
    while error:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def show_as_saved(message_pk: int) -> None:
    """Shows a message as the database has it. Tabs may have got text that another process knows nothing of."""
    message = Message.objects.select_related("conversation").filter(pk=message_pk).first()
    if message:
        with transaction.atomic():
            message.mark_changed()
        broadcasts.announce_revision(message.conversation)


async def show_in_lists(conversation: Conversation) -> None:
    """Updates whether people's lists show a running answer. A shortage here must not end the reply."""
    try:
        await database_sync_to_async(broadcasts.refresh_row)(conversation)
    except SHORTAGES as error:
        showing_failures.note_failure(error)
