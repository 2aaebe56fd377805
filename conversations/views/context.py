"""How full a model's context window is, and the ways on when it is: leave out the oldest turns, or begin anew."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import AuthenticatedRequest
from chatsite.numbers import whole_number
from conversations.access import conversation_or_404, path_or_404
from conversations.models import Conversation, Path, Role
from conversations.prompt.toolbox import definitions
from conversations.prompt.transcript import request_at
from conversations.prompt.window import Fill, fill_of
from conversations.verbs import summaries, trimming, turns
from conversations.views.turns import over_limit, to
from conversations.views.verbs import gone_to
from ledger.booking import entries
from upstreams.chat import Block, ChatRequest
from upstreams.client import count_tokens
from upstreams.endpoint import Endpoint
from upstreams.errors import UpstreamError
from upstreams.models import ChatModel
from upstreams.sealing import SealBroken

COUNTED_FOR = 3600
"""Seconds that a count is kept: everybody who looks at the same turns is told the same."""
NOT_COUNTED = -1

_counting: dict[str, asyncio.Task[int]] = {}


@require_GET
async def show(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """The gauge under the message field, and what is offered above it when the next turn would not fit."""
    path, model = await sync_to_async(asked_of)(request, pk)
    if model is None:
        return HttpResponse(status=204)
    tools = await sync_to_async(definitions)(path.conversation, request.user)
    counted = await count(path, model, tools)
    return await sync_to_async(drawn)(request, path, model, counted, tools)


def asked_of(request: AuthenticatedRequest, pk: int) -> tuple[Path, ChatModel | None]:
    conversation = conversation_or_404(request, pk)
    return path_or_404(request, conversation), chosen_model(request, conversation)


def chosen_model(request: AuthenticatedRequest, conversation: Conversation) -> ChatModel | None:
    """The one that stands in the composer, if people may use it."""
    named = request.GET.get("chat_model") or request.POST.get("chat_model") or ""
    return ChatModel.find_offered(whole_number(named) or 0) or conversation.speaking_model()


async def count(path: Path, model: ChatModel, tools: Sequence[Block]) -> int | None:
    """By the upstream, once for each state of a conversation and the same tools; None where it does not say."""
    key = count_key(path, model, tools)
    counted = await cache.aget(key)
    if counted is None:
        asked = None if key in _counting else await sync_to_async(to_be_counted)(path, model, tools)
        if key not in _counting:
            _counting[key] = asyncio.create_task(counted_and_kept(key, asked))
            _counting[key].add_done_callback(lambda _: _counting.pop(key))
        # Others may wait for it who stay when this one goes away.
        counted = await asyncio.shield(_counting[key])
    return None if counted == NOT_COUNTED else counted


async def counted_and_kept(key: str, asked: tuple[Endpoint, ChatRequest] | None) -> int:
    # Another count may have ended since the cache was asked.
    kept: int | None = await cache.aget(key)
    if kept is None:
        counted = await count_tokens(*asked) if asked else None
        kept = NOT_COUNTED if counted is None else counted
        await cache.aset(key, kept, COUNTED_FOR)
    return kept


def count_key(path: Path, model: ChatModel, tools: Sequence[Block]) -> str:
    conversation = path.conversation
    # The settings are changed without a new revision, and tools are not the same for everybody.
    settings = [conversation.system_prompt, conversation.thinking, conversation.tool_choice, tools]
    mark = sha256(repr(settings).encode()).hexdigest()[:16]
    return f"context:{conversation.pk}:{conversation.revision}:{path.branch.pk}:{model.pk}:{mark}"


def to_be_counted(path: Path, model: ChatModel, tools: Sequence[Block]) -> tuple[Endpoint, ChatRequest] | None:
    try:
        return model.provider.endpoint(), request_at(path, model, tools)
    except (SealBroken, UpstreamError):
        return None


def drawn(
    request: AuthenticatedRequest, path: Path, model: ChatModel, counted: int | None, tools: Sequence[Block]
) -> HttpResponse:
    fill: Fill = fill_of(path, model, counted, tools)
    can_leave_out = path.remembered().filter(role=Role.USER).count() > 1
    context = {
        **{"fill": fill, "model": model, "path": path, "conversation": path.conversation},
        **{
            "has_tools": bool(tools),
            "can_leave_out": can_leave_out,
            "begins_later": path.messages.filter(memory_begins=True).exists(),
        },
        "warnings": entries.list_warnings(request.user),
    }
    return render(request, "conversations/_context.html", context)


@require_POST
def leave_out(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """`always` has it done without asking from now on; `retry` names the answer that failed for want of room."""
    path, model = asked_of(request, pk)
    conversation = path.conversation
    if request.POST.get("always"):
        trimming.trim_automatically(conversation)
        conversation.leaves_out_oldest = True
    if model:
        trimming.trim_oldest_turns(path, model)
    failed = conversation.messages.filter(deleted_at=None, role=Role.ASSISTANT).for_reading()
    message = failed.filter(pk=whole_number(request.POST.get("retry", "")) or 0).select_related("branch").first()
    if message and path.includes(message.branch_id, message.pk):
        if refusal := over_limit(request, path):
            return refusal
        message.conversation = conversation
        return gone_to(request, conversation, turns.retry(message, request.user, model).message.branch)
    return HttpResponse(status=204) if request.htmx else to(conversation, path.branch)


@require_POST
def remember_all(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = conversation_or_404(request, pk)
    path = path_or_404(request, conversation)
    trimming.include_all_turns(path)
    return HttpResponse(status=204) if request.htmx else to(conversation, path.branch)


@require_POST
def summarise(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    path, model = asked_of(request, pk)
    if refusal := over_limit(request, path):
        return refusal
    return gone_to(request, summaries.begin_with_summary(path, request.user, model))
