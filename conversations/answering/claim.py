"""Claims a generation and loads everything that is needed to write it."""

from copy import copy
from dataclasses import dataclass

from conversations.answering.ending import STOPPED, Ending
from conversations.answering.permission import AskerGone, ModelOff, require_permission
from conversations.models import Generation, Message, State
from conversations.prompt.toolbox import Toolbox
from conversations.prompt.transcript import build_request, find_problems, takes_prefill
from upstreams.chat import ChatRequest
from upstreams.endpoint import Endpoint
from upstreams.models import ChatModel
from upstreams.protocols import PROTOCOLS
from upstreams.sealing import SealBroken

NO_MODEL = "No model is connected. Ask an administrator to connect one (user menu → Providers)."
SEALED_KEY = (
    "This site cannot read its own key for the model. An administrator can enter the API key of this model's provider "
    "again."
)


@dataclass(frozen=True, slots=True)
class Answerable:
    """A claimed generation that a model can write."""

    generation: Generation
    message: Message
    endpoint: Endpoint
    request: ChatRequest
    toolbox: Toolbox
    fallback: ChatRequest | None = None
    """Sent if the upstream refuses `request`, because not every model continues its own text."""


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """A claimed generation that ends at once, without asking a model."""

    generation: Generation
    message: Message
    ending: Ending


type Claimed = Answerable | Unanswerable


def claim(generation_pk: int) -> Claimed | None:
    """Claims a queued generation. Returns None if it is not its turn yet or another process has claimed it."""
    found = Message.objects.for_reading().select_related("branch", "author", "conversation")
    message = found.filter(generations=generation_pk).first()
    if message is None or (shown := message.generation) is None or shown.pk != generation_pk:
        return None
    if shown.state != State.QUEUED:
        return None
    # A copy, because viewers see the reply as running until its end is saved.
    generation = copy(shown)
    generation.conversation = message.conversation
    claimed = prepare(generation, message)
    # Last, so that after an error the generation is still queued and can be claimed again.
    if not generation.claim():
        return None
    shown.state, shown.started_at = generation.state, generation.started_at
    return claimed


def prepare(generation: Generation, message: Message) -> Claimed:
    if generation.stop_asked_at:
        return Unanswerable(generation, message, STOPPED)
    chat_model = generation.chat_model
    if chat_model is None:
        return Unanswerable(generation, message, Ending(State.FAILED, "no_model", NO_MODEL))
    try:
        require_permission(generation)
    except (AskerGone, ModelOff) as refusal:
        return Unanswerable(generation, message, Ending.of(refusal, has_content=bool(message.blocks)))
    try:
        endpoint = chat_model.provider.build_endpoint()
    except SealBroken:
        return Unanswerable(generation, message, Ending(State.FAILED, "sealed_key", SEALED_KEY))
    toolbox = Toolbox.of(generation, message)
    request, fallback = build_requests(generation, message, chat_model, toolbox)
    note_changes(generation, request, endpoint)
    if problems := find_problems(request, chat_model):
        return Unanswerable(generation, message, Ending(State.FAILED, "invalid_request", " ".join(problems)))
    return Answerable(generation, message, endpoint, request, toolbox, fallback)


def build_follow_up(generation: Generation, message: Message, endpoint: Endpoint, toolbox: Toolbox) -> ChatRequest:
    """Builds the request that returns the results of tools to the model."""
    request = build_request(generation, message, toolbox.definitions)
    note_changes(generation, request, endpoint)
    return request


def note_changes(generation: Generation, request: ChatRequest, endpoint: Endpoint) -> None:
    """Notes what the request leaves out or changes. The notes of earlier requests remain true."""
    generation.add_notes(*PROTOCOLS[endpoint.protocol].notes(request, endpoint))


def build_requests(
    generation: Generation, message: Message, chat_model: ChatModel, toolbox: Toolbox
) -> tuple[ChatRequest, ChatRequest | None]:
    """Returns the request, and the one to send if the upstream refuses it."""
    request = build_request(generation, message, toolbox.definitions)
    if not generation.continues or generation.rounds:
        return request, None
    by_asking = build_request(generation, message, toolbox.definitions, by_asking=True)
    return (request, by_asking) if takes_prefill(request, chat_model) else (by_asking, None)
