"""A generation's life as a task: claimed, streamed, ended, and the next one let on."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.timezone import now

from conversations.answering.relay import Relay
from conversations.answering.upstream_call import carried_by
from conversations.live import broadcasts
from conversations.models import Conversation, Generation, Message, State, ToolCall
from conversations.prompt.toolbox import TOO_MANY, Toolbox, error, unanswered
from conversations.prompt.transcript import problems_with, request_for, takes_prefill
from ledger.booking.entries import CallRefused
from upstreams.chat import ChatRequest
from upstreams.endpoint import Endpoint
from upstreams.errors import InvalidRequest, UpstreamError
from upstreams.models import USAGE_FIELDS
from upstreams.protocols import PROTOCOLS
from upstreams.sealing import SealBroken

logger = logging.getLogger(__name__)

NO_MODEL = "No model is connected. An administrator can connect one: their name at the lower left, Providers."
OUR_FAULT = "Something went wrong on our side; it was written to the server's log. Ask again, or tell an administrator."


BOOKED = (
    *USAGE_FIELDS,
    *("state", "error_kind", "error_message", "error_detail", "stop_reason", "notes"),
    *("thinking_seconds", "first_token_at", "cost", "finished_at", "heartbeat_at", "rounds"),
)


class Undecided(Exception):
    """Tools are called that may not run before somebody has said so: nothing to do until then."""

    def __init__(self, calls: Iterable[str]) -> None:
        super().__init__()
        self.calls = tuple(calls)


@dataclass(frozen=True, slots=True)
class Outcome:
    state: State
    error_kind: str = ""
    error_message: str = ""
    error_detail: str = ""
    undecided: tuple[str, ...] = ()
    """The ids of calls about which somebody has to be asked."""

    @classmethod
    def of(cls, failure: UpstreamError | CallRefused, detail: str = "", *, has_content: bool) -> "Outcome":
        """With words of it there, a reply is interrupted, whatever ended it; one without any has failed."""
        state = State.INTERRUPTED if has_content else State.FAILED
        return cls(state, failure.kind, str(failure), detail)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a claimed generation needs for its way; read from the database in one go."""

    generation: Generation
    message: Message
    endpoint: Endpoint | None
    request: ChatRequest | None
    refusal: Outcome | None = None
    toolbox: Toolbox | None = None
    otherwise: ChatRequest | None = None
    """What to ask when the upstream refuses `request` itself: not every model goes on with its own words."""


def take_up(pk: int) -> Assignment | None:
    """Claims the generation; None when it is not ours to write."""
    queryset = Generation.objects.select_related("conversation", "chat_model__provider", "asked_by")
    generation = queryset.filter(pk=pk).first()
    if generation is None or not generation.claim():
        return None
    message = Message.objects.for_reading().select_related("branch", "author").get(pk=generation.message_id)
    if generation.chat_model is None:
        return Assignment(generation, message, None, None, Outcome(State.FAILED, "no_model", NO_MODEL))
    try:
        endpoint = generation.chat_model.provider.endpoint()
    except SealBroken as error:
        return Assignment(generation, message, None, None, Outcome(State.FAILED, "sealed_key", str(error)))
    toolbox = Toolbox.of(generation, message)
    request = request_for(generation, message, toolbox.definitions)
    by_asking = None
    if generation.continues and not generation.rounds:
        by_asking = request_for(generation, message, toolbox.definitions, by_asking=True)
    if by_asking and not takes_prefill(request, generation.chat_model):
        request, by_asking = by_asking, None
    generation.notes = PROTOCOLS[endpoint.protocol].notes(request, endpoint)
    refusal = None
    if problems := problems_with(request, generation.chat_model):
        refusal = Outcome(State.FAILED, "invalid_request", " ".join(problems))
    return Assignment(generation, message, endpoint, request, refusal, toolbox, by_asking)


async def carried(relay: Relay, assignment: Assignment) -> None:
    """The model answers, tools that it calls run, and it goes on with their results, until it calls no more."""
    generation, endpoint, toolbox = assignment.generation, assignment.endpoint, assignment.toolbox
    assert endpoint is not None and toolbox is not None
    if not (generation.rounds and unanswered(relay.draft.blocks)):
        await begun(relay, assignment)
    while calls := unanswered(relay.draft.blocks):
        if any(toolbox.must_ask(call) for call in calls):
            raise Undecided([call["id"] for call in calls if toolbox.must_ask(call)])
        generation.rounds = max(generation.rounds, 1)
        is_last = generation.rounds > settings.TOOL_ROUNDS
        if is_last:
            for call in calls:
                relay.take_result(error(call, TOO_MANY))
        else:
            await toolbox.run(calls, relay.take_result)
        generation.rounds += 1
        relay.message.blocks = relay.draft.blocks
        request = await sync_to_async(request_for)(generation, relay.message, toolbox.definitions)
        relay.draft.begin_call()
        await carried_by(relay, endpoint, replace(request, tool_choice="none") if is_last else request)
        if is_last:
            return


async def begun(relay: Relay, assignment: Assignment) -> None:
    endpoint, request = assignment.endpoint, assignment.request
    assert endpoint is not None and request is not None
    try:
        await carried_by(relay, endpoint, request)
    except InvalidRequest:
        if assignment.otherwise is None or relay.first_token_at:
            raise
        await carried_by(relay, endpoint, assignment.otherwise)


def outcome_of(relay: Relay, ended: asyncio.Task[None]) -> Outcome:
    if ended.cancelled():
        return Outcome(State.STOPPED if relay.stop_asked else State.INTERRUPTED)
    match ended.exception():
        case None:
            return Outcome(State.COMPLETE)
        case Undecided() as undecided:
            relay.generation.rounds = max(relay.generation.rounds, 1)
            return Outcome(State.WAITING, undecided=undecided.calls)
        case UpstreamError() as failure:
            return Outcome.of(failure, failure.detail, has_content=relay.draft.has_content)
        case CallRefused() as refusal:
            return Outcome.of(refusal, has_content=relay.draft.has_content)
        case bug:
            logger.error("Generation %s failed", relay.generation.pk, exc_info=bug)
            return Outcome(State.FAILED, "internal", OUR_FAULT)


@transaction.atomic
def book(relay: Relay, outcome: Outcome) -> Message:
    generation, draft = relay.generation, relay.draft
    generation.state = outcome.state
    generation.error_kind, generation.error_message = outcome.error_kind, outcome.error_message
    generation.error_detail = outcome.error_detail or draft.explanation
    generation.stop_reason = draft.stop_reason or ""
    generation.thinking_seconds, generation.first_token_at = relay.thinking_seconds, relay.first_token_at
    generation.usage = draft.spent
    generation.cost = generation.price()
    generation.heartbeat_at = now()
    generation.finished_at = None if outcome.undecided else generation.heartbeat_at
    generation.save(update_fields=BOOKED)
    ToolCall.objects.bulk_create(ToolCall(generation=generation, use_id=use_id) for use_id in outcome.undecided)
    revision = generation.conversation.advance()
    blocks = draft.blocks or relay.message.blocks
    Message.objects.filter(pk=relay.message.pk).update(blocks=blocks, revision=revision)
    return Message.objects.for_reading().get(pk=relay.message.pk)


async def show_in_lists(conversation: Conversation) -> None:
    """Whether an answer is being written; a database that does not answer must not end the reply."""
    try:
        await sync_to_async(broadcasts.relisted)(conversation)
    except DatabaseError:
        logger.warning("Lists do not show conversation %s as it is", conversation.pk, exc_info=True)
