"""The client's side of the Chat Completions API: paths, headers and the request body."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from upstreams.chat import ChatRequest, Effort
from upstreams.endpoint import AuthHeader, Endpoint
from upstreams.errors import InvalidRequest
from upstreams.events import ReplyEvent
from upstreams.protocols.listings import read_models
from upstreams.protocols.no_thinking import build_no_thinking
from upstreams.protocols.openai.messages import to_chat_messages
from upstreams.protocols.openai.reply import ChatDecoder, read_events
from upstreams.protocols.tidying.decoder import TidyDecoder, tidy_whole

__all__ = ["MODELS_PATH", "PATH", "Decoder", "headers", "notes", "output_limit", "payload", "read_models", "read_whole"]

PATH: Final = "/chat/completions"
MODELS_PATH: Final = "/models"
MAX_STOP_SEQUENCES: Final = 4


def Decoder(endpoint: Endpoint) -> TidyDecoder:
    return TidyDecoder(ChatDecoder(endpoint), endpoint)


def read_whole(body: bytes, endpoint: Endpoint) -> Iterator[ReplyEvent]:
    """The events of an unstreamed reply. Those before a failure are valid."""
    return tidy_whole(read_events(body, endpoint), endpoint)


def headers(endpoint: Endpoint, stream: bool) -> dict[str, str]:
    sent = {
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
    }
    if endpoint.key and endpoint.auth_header is AuthHeader.X_API_KEY:
        sent["x-api-key"] = endpoint.key
    elif endpoint.key:
        sent["authorization"] = f"Bearer {endpoint.key}"
    return sent


def payload(request: ChatRequest, endpoint: Endpoint) -> dict[str, Any]:
    """Builds the request body without the parts that the protocol cannot express, which `notes` lists.

    Raises InvalidRequest for a part that cannot be omitted without changing the question.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": to_chat_messages(request, endpoint),
        "stream": request.stream,
    }
    if request.stream:
        body["stream_options"] = {"include_usage": True}
    if request.user:
        body["user"] = request.user
    if request.tools:
        body["tools"] = [_build_function(tool) for tool in request.tools]
        body["tool_choice"] = _build_choice(request.tool_choice)
    if request.max_tokens is not None:
        body[endpoint.max_tokens_field] = request.max_tokens
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        if (value := getattr(request, name)) is not None:
            body[name] = value
    if request.top_k is not None and endpoint.accepts_top_k:
        body["top_k"] = request.top_k
    if endpoint.reasoning_effort and (effort := _choose_effort(request)):
        body["reasoning_effort"] = effort
    if request.thinking_is_off and "reasoning_effort" not in body:
        body |= build_no_thinking(endpoint)
    if len(request.stop_sequences) > MAX_STOP_SEQUENCES:
        raise InvalidRequest(
            f"{endpoint.name} accepts at most {MAX_STOP_SEQUENCES} stop sequences. Remove some of them."
        )
    if request.stop_sequences:
        body["stop"] = list(request.stop_sequences)
    return body


def output_limit(request: ChatRequest) -> int | None:
    return request.max_tokens


def notes(request: ChatRequest, endpoint: Endpoint) -> list[str]:
    """A sentence for each part of the request that is left out or changed."""
    said = list(request.remarks)
    if request.top_k is not None and not endpoint.accepts_top_k:
        said.append("Top-k was not sent: this provider is not set to accept it.")
    return said + _note_thinking(request, endpoint)


def effort_for_budget(budget: int) -> Effort:
    """The effort that corresponds to a thinking budget in tokens."""
    return Effort.LOW if budget < 4096 else Effort.MEDIUM if budget < 12288 else Effort.HIGH


def _build_function(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": tool["name"], "description": tool.get("description", ""), "parameters": tool["input_schema"]}
    return {"type": "function", "function": function}


def _build_choice(choice: str) -> str | dict[str, Any]:
    if choice in ("auto", "none"):
        return choice
    return "required" if choice == "any" else {"type": "function", "function": {"name": choice}}


def _note_thinking(request: ChatRequest, endpoint: Endpoint) -> list[str]:
    if not endpoint.reasoning_effort:
        asked = "reasoning effort" if request.reasoning_effort else "thinking budget"
        if request.reasoning_effort or request.thinking_budget is not None:
            return [f"The {asked} was not sent: this provider is not set to accept a reasoning effort."]
    elif request.thinking_budget is not None and not request.reasoning_effort:
        return [f"The thinking budget was sent as the reasoning effort “{_choose_effort(request)}”."]
    if request.thinks_adaptively and not request.reasoning_effort:
        return ["The model decides how much it thinks: this protocol does not support adaptive thinking."]
    return []


def _choose_effort(request: ChatRequest) -> Effort | None:
    """The requested effort, or else the one for the thinking budget."""
    if request.reasoning_effort or request.thinking_budget is None:
        return request.reasoning_effort
    return effort_for_budget(request.thinking_budget)
