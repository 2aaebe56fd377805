"""The client's side of the Messages API: paths, headers and the request body."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from upstreams.chat import DEFAULT_MAX_TOKENS, MESSAGES_EFFORTS, Block, ChatMessage, ChatRequest
from upstreams.endpoint import AuthHeader, Endpoint
from upstreams.events import ReplyEvent
from upstreams.protocols.anthropic.caching import mark_stable_parts
from upstreams.protocols.anthropic.reply import MessagesDecoder, read_events
from upstreams.protocols.history import alternate_turns, find_open_loop, has_text, restore_tagged_thinking
from upstreams.protocols.listings import read_models
from upstreams.protocols.no_thinking import build_no_thinking
from upstreams.protocols.tidying.decoder import TidyDecoder, tidy_whole

__all__ = ["MODELS_PATH", "PATH", "Decoder", "headers", "notes", "output_limit", "payload", "read_models", "read_whole"]

PATH: Final = "/v1/messages"
MODELS_PATH: Final = "/v1/models"
VERSION: Final = "2023-06-01"
"""The later version refuses temperature, top_p and top_k. Apart from that, we use both alike."""
ADAPTIVE_MAX_TOKENS: Final = 16384
"""Thinking counts as output, and its length is unknown."""
_THOUGHTS: Final = ("thinking", "redacted_thinking")
_THINKING_FIELDS: Final = ("type", "thinking", "signature", "cache_control")
_TOOL_USE_FIELDS: Final = ("type", "id", "name", "input", "caller", "cache_control")


def Decoder(endpoint: Endpoint) -> TidyDecoder:
    return TidyDecoder(MessagesDecoder(endpoint), endpoint)


def read_whole(body: bytes, endpoint: Endpoint) -> Iterator[ReplyEvent]:
    """The events of an unstreamed reply. Those before a failure are valid."""
    return tidy_whole(read_events(body, endpoint), endpoint)


def headers(endpoint: Endpoint, stream: bool) -> dict[str, str]:
    sent = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        "anthropic-version": VERSION,
    }
    if endpoint.key and endpoint.auth_header is AuthHeader.X_API_KEY:
        sent["x-api-key"] = endpoint.key
    elif endpoint.key:
        sent["authorization"] = f"Bearer {endpoint.key}"
    if endpoint.beta:
        sent["anthropic-beta"] = endpoint.beta
    return sent


def payload(request: ChatRequest, endpoint: Endpoint) -> dict[str, Any]:
    """Builds the request body without the parts that the protocol cannot express, which `notes` lists."""
    body = _translate(request, endpoint)[0]
    return mark_stable_parts(body) if endpoint.caches_prompts else body


def notes(request: ChatRequest, endpoint: Endpoint) -> list[str]:
    """A sentence for each part of the request that is left out or changed."""
    return [*request.remarks, *_translate(request, endpoint)[1]]


def output_limit(request: ChatRequest) -> int:
    return request.max_tokens or _default_output_limit(_build_thinking(request))


def _translate(request: ChatRequest, endpoint: Endpoint) -> tuple[dict[str, Any], list[str]]:
    remarks: list[str] = []
    messages = _build_messages(request)
    thinking = _build_thinking(request)
    is_off = request.thinking_is_off
    if thinking and _is_continued(messages):
        thinking, is_off = None, True
        remarks.append("Thinking is off for this answer: the model cannot think again while it continues one.")
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens or _default_output_limit(thinking),
        "messages": messages,
        "stream": request.stream,
    }
    if request.system.strip():
        body["system"] = request.system
    if request.user:
        body["metadata"] = {"user_id": request.user}
    if request.stop_sequences:
        body["stop_sequences"] = list(request.stop_sequences)
    if thinking:
        body["thinking"] = thinking
    elif is_off:
        body |= build_no_thinking(endpoint)
    body |= _build_effort(request, remarks)
    # A forced tool is allowed with adaptive thinking, but not with a budget.
    body |= _build_tools(request, thinking="budget_tokens" in (thinking or {}), remarks=remarks)
    body |= _build_sampling(request, thinking=thinking is not None, remarks=remarks)
    return body, remarks


def _build_thinking(request: ChatRequest) -> dict[str, Any] | None:
    if request.thinks_adaptively:
        return {"type": "adaptive"}
    if request.thinking_budget is not None:
        return {"type": "enabled", "budget_tokens": request.thinking_budget}
    return None


def _build_effort(request: ChatRequest, remarks: list[str]) -> dict[str, Any]:
    effort = request.reasoning_effort
    if effort is None:
        return {}
    if not request.takes_effort:
        remarks.append("The reasoning effort was not sent: this model does not support it.")
        return {}
    if effort not in MESSAGES_EFFORTS:
        remarks.append(f"The reasoning effort “{effort}” was not sent: the lowest in this protocol is “low”.")
        return {}
    return {"output_config": {"effort": effort}}


def _default_output_limit(thinking: dict[str, Any] | None) -> int:
    """Returns the output limit for a request without one."""
    if thinking and thinking["type"] == "adaptive":
        return ADAPTIVE_MAX_TOKENS
    return DEFAULT_MAX_TOKENS + (thinking["budget_tokens"] if thinking else 0)


def _build_tools(request: ChatRequest, *, thinking: bool, remarks: list[str]) -> dict[str, Any]:
    if not request.tools:
        return {}
    choice = request.tool_choice
    if thinking and choice not in ("auto", "none"):
        choice = "auto"
        remarks.append("Tool use is automatic in this answer: a model that thinks cannot be made to use a tool.")
    named = {"type": choice} if choice in ("auto", "any", "none") else {"type": "tool", "name": choice}
    return {"tools": [dict(tool) for tool in request.tools], "tool_choice": named}


def _build_sampling(request: ChatRequest, *, thinking: bool, remarks: list[str]) -> dict[str, Any]:
    """Returns only fields that are set: newer models refuse them, and servers refuse those that break a rule below."""
    sent: dict[str, Any] = {}
    if request.temperature is not None:
        sent["temperature"] = min(request.temperature, 1)
        if request.temperature > 1:
            remarks.append("Temperature was sent as 1, the highest value in this protocol.")
    if request.top_p is not None:
        sent["top_p"] = request.top_p
    if request.top_k is not None:
        sent["top_k"] = request.top_k
    if thinking:
        if sent.get("temperature", 1) != 1:
            del sent["temperature"]
            remarks.append("Temperature was not sent: it cannot be changed while the model thinks.")
        if sent.get("top_p", 1) < 0.95:
            del sent["top_p"]
            remarks.append("Top-p was not sent: it must be at least 0.95 while the model thinks.")
        if sent.pop("top_k", None) is not None:
            remarks.append("Top-k was not sent: it cannot be used while the model thinks.")
    if "temperature" in sent and sent.pop("top_p", None) is not None:
        remarks.append("Top-p was not sent: this protocol accepts either temperature or top-p.")
    for name, penalty in (("Presence", request.presence_penalty), ("Frequency", request.frequency_penalty)):
        if penalty:
            remarks.append(f"{name} penalty was not sent: this protocol does not support it.")
    return sent


def _build_messages(request: ChatRequest) -> list[dict[str, Any]]:
    messages = restore_tagged_thinking(request.messages)
    turns = alternate_turns(list(_drop_unsigned_thinking(messages)), _keep)
    sent: list[dict[str, Any]] = [{"role": role, "content": blocks} for role, blocks in turns]
    if sent and sent[-1]["role"] == "assistant" and sent[-1]["content"][-1].get("type") in ("text", *_THOUGHTS):
        # A continued reply must not contain thinking and must not end in white space.
        content = [block for block in sent.pop()["content"] if block.get("type") not in _THOUGHTS]
        if content and content[-1].get("type") == "text":
            content[-1] = {**content[-1], "text": content[-1]["text"].rstrip()}
        if content:
            sent.append({"role": "assistant", "content": content})
    return sent


def _is_continued(messages: list[dict[str, Any]]) -> bool:
    """Whether the last message is the beginning of the requested reply."""
    return bool(messages) and messages[-1]["role"] == "assistant" and messages[-1]["content"][-1].get("type") == "text"


def _drop_unsigned_thinking(messages: Sequence[ChatMessage]) -> Iterator[ChatMessage]:
    """Keeps thinking without a signature only in a tool loop that is still open.

    A server that signs accepts no other thinking. One that does not may refuse calls without the thinking that led to
    them, and all thinking in an open loop is its own.
    """
    loop = find_open_loop(messages)
    for position, message in enumerate(messages):
        if position >= loop:
            yield message
        else:
            yield ChatMessage(message.role, [block for block in message.blocks if not _is_unsigned(block)])


def _is_unsigned(block: Block) -> bool:
    return block.get("type") == "thinking" and not block.get("signature")


def _keep(block: Block) -> Block | None:
    match block.get("type"):
        case "text":
            return block if has_text(block) else None
        case "thinking":
            return {name: block[name] for name in _THINKING_FIELDS if name in block}
        case "redacted_thinking":
            return block if block.get("data") else None
        case "tool_use":
            return {name: block[name] for name in _TOOL_USE_FIELDS if name in block}
    return block
