"""How full a model's context window is, and what people can do about it: trim the conversation, or summarise it."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from accounts.models import AuthenticatedRequest
from chatsite.process.threads import database_sync_to_async
from chatsite.values.numbers import whole_number
from conversations.access import conversation_or_404, find_chosen_model, path_or_404
from conversations.models import Path, Role
from conversations.prompt.toolbox import load_definitions
from conversations.prompt.transcript import build_next_request
from conversations.prompt.window import Fill, measure_fill
from conversations.verbs import summaries, trimming, turns
from conversations.views.messages import redirect_to_new
from conversations.views.turns import limit_response, redirect_to, render_refusal
from ledger.booking import entries
from upstreams.chat import Block, ChatRequest
from upstreams.client import count_tokens
from upstreams.endpoint import Endpoint
from upstreams.errors import UpstreamError
from upstreams.models import ChatModel, ModelOff
from upstreams.sealing import SealBroken

COUNTED_FOR = 3600
"""Seconds that a count is cached, for everyone who sees the same turns."""
NOT_COUNTED = -1

_counting: dict[str, asyncio.Task[int]] = {}


@require_GET
async def show(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """The gauge under the message field, and the offer above it when the next turn would not fit."""
    try:
        path, model = await database_sync_to_async(find_path_and_model)(request, pk)
    except ModelOff:
        # An old page shows a model that is switched off. It keeps its last gauge.
        return HttpResponse(status=204)
    if model is None:
        return HttpResponse(status=204)
    tools = await database_sync_to_async(load_definitions)(path.conversation, request.user)
    counted = await count_tokens_of(path, model, tools)
    return await database_sync_to_async(render_gauge)(request, path, model, counted, tools)


def find_path_and_model(request: AuthenticatedRequest, pk: int) -> tuple[Path, ChatModel | None]:
    conversation = conversation_or_404(request, pk)
    return path_or_404(request, conversation), find_chosen_model(request, conversation)


def render_model_off(request: AuthenticatedRequest, pk: int, refusal: ModelOff) -> HttpResponse:
    return render_refusal(request, path_or_404(request, conversation_or_404(request, pk)), refusal)


async def count_tokens_of(path: Path, model: ChatModel, tools: Sequence[Block]) -> int | None:
    """Returns the upstream's count, cached by the state of a conversation and its tools. None if it cannot count."""
    key = count_key(path, model, tools)
    counted = await cache.aget(key)
    if counted is None:
        asked = None if key in _counting else await database_sync_to_async(build_request_to_count)(path, model, tools)
        if key not in _counting:
            _counting[key] = asyncio.create_task(count_and_cache(key, asked))
            _counting[key].add_done_callback(lambda _: _counting.pop(key))
        # Other requests may wait for the same count and must not be cancelled with this one.
        counted = await asyncio.shield(_counting[key])
    return None if counted == NOT_COUNTED else counted


async def count_and_cache(key: str, asked: tuple[Endpoint, ChatRequest] | None) -> int:
    # Another count may have ended since the cache was read.
    count: int | None = await cache.aget(key)
    if count is None:
        counted = await count_tokens(*asked) if asked else None
        count = NOT_COUNTED if counted is None else counted
        await cache.aset(key, count, COUNTED_FOR)
    return count


def count_key(path: Path, model: ChatModel, tools: Sequence[Block]) -> str:
    conversation = path.conversation
    # Settings change without a new revision, and tools depend on the person.
    settings = [conversation.system_prompt, conversation.thinking, conversation.tool_choice, tools]
    mark = sha256(repr(settings).encode()).hexdigest()[:16]
    return f"context:{conversation.pk}:{conversation.revision}:{path.branch.pk}:{model.pk}:{mark}"


def build_request_to_count(path: Path, model: ChatModel, tools: Sequence[Block]) -> tuple[Endpoint, ChatRequest] | None:
    try:
        return model.provider.build_endpoint(), build_next_request(path, model, tools)
    except (SealBroken, UpstreamError):
        return None


def render_gauge(
    request: AuthenticatedRequest, path: Path, model: ChatModel, counted: int | None, tools: Sequence[Block]
) -> HttpResponse:
    fill: Fill = measure_fill(path, model, counted, tools)
    can_trim = path.in_context().filter(role=Role.USER).count() > 1
    context = {
        **{"fill": fill, "model": model, "path": path, "conversation": path.conversation},
        **{
            "has_tools": bool(tools),
            "can_trim": can_trim,
            "is_trimmed": path.messages.filter(memory_begins=True).exists(),
        },
        "warnings": entries.list_warnings(request.user),
    }
    return render(request, "conversations/_context.html", context)


@require_POST
def trim(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    """With `always`, future trims happen automatically. `retry` is the key of the answer that did not fit."""
    try:
        path, model = find_path_and_model(request, pk)
    except ModelOff as off:
        return render_model_off(request, pk, off)
    conversation = path.conversation
    if request.POST.get("always"):
        trimming.trim_automatically(conversation)
        conversation.leaves_out_oldest = True
    if model:
        trimming.trim_oldest_turns(path, model, request.user)
    failed = conversation.messages.filter(deleted_at=None, role=Role.ASSISTANT).for_reading()
    message = failed.filter(pk=whole_number(request.POST.get("retry", "")) or 0).select_related("branch").first()
    if message and path.includes(message.branch_id, message.pk):
        if refusal := limit_response(request, path):
            return refusal
        message.conversation = conversation
        return redirect_to_new(request, conversation, turns.retry(message, request.user, model).message.branch)
    return HttpResponse(status=204) if request.htmx else redirect_to(conversation, path.branch)


@require_POST
def undo_trimming(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    conversation = conversation_or_404(request, pk)
    path = path_or_404(request, conversation)
    trimming.undo_trimming(path)
    return HttpResponse(status=204) if request.htmx else redirect_to(conversation, path.branch)


@require_POST
def summarise(request: AuthenticatedRequest, pk: int) -> HttpResponse:
    try:
        path, model = find_path_and_model(request, pk)
    except ModelOff as off:
        return render_model_off(request, pk, off)
    if refusal := limit_response(request, path):
        return refusal
    return redirect_to_new(request, summaries.begin_with_summary(path, request.user, model))
