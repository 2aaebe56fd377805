"""Translates a request of the Messages API into one of the Chat Completions API."""

from typing import Any, Final

from gateway.ids import shorten_user
from gateway.translation.chat_history import chat_messages
from gateway.translation.fields import RequestFields
from gateway.translation.thinking import chat_thinking
from gateway.translation.tools import chat_tools
from upstreams.endpoint import Endpoint
from upstreams.protocols.openai import MAX_STOP_SEQUENCES

SCHEMA_NAME: Final = "response"
MAX_USER: Final = 64
"""Characters of `user`."""
_CHANGES_ANSWER: Final = ("output_format", "mcp_servers")
"""Without these, the answer would have another form, or lack tools."""
_SERVICE_TIERS: Final = {"auto": "auto", "standard_only": "default"}


def chat_body(request: RequestFields, endpoint: Endpoint) -> dict[str, Any]:
    for name in _CHANGES_ANSWER:
        if request.take(name):
            raise request.problem(name, "is not supported by this model.")
    sent: dict[str, Any] = {
        "messages": chat_messages(request.take("system"), request.take("messages")),
        endpoint.max_tokens_field: _max_tokens(request),
        **_stream(request),
        **_sampling(request, endpoint),
        **chat_tools(request),
    }
    config = request.take_within("output_config")
    sent |= chat_thinking(request, config, endpoint)
    if wanted := config.take("format"):
        schema = {"name": SCHEMA_NAME, "strict": True, "schema": wanted["schema"]}
        sent["response_format"] = {"type": "json_schema", "json_schema": schema}
    metadata = request.take_within("metadata")
    if user := metadata.take("user_id"):
        sent["user"] = shorten_user(user, MAX_USER)
    if tier := request.take("service_tier"):
        sent["service_tier"] = _SERVICE_TIERS[tier]
    config.drop_rest()
    metadata.drop_rest()
    request.drop_rest("cache_control")
    return sent


def _max_tokens(request: RequestFields) -> int:
    most: int = request.take("max_tokens")
    if most == 0:
        raise request.problem("max_tokens", "must be 1 or more for this model.")
    return most


def _stream(request: RequestFields) -> dict[str, Any]:
    is_streamed = bool(request.take("stream"))
    # Servers report the usage of a streamed reply only on request.
    return {"stream": True, "stream_options": {"include_usage": True}} if is_streamed else {"stream": False}


def _sampling(request: RequestFields, endpoint: Endpoint) -> dict[str, Any]:
    taken = ("temperature", "top_p", "top_k") if endpoint.accepts_top_k else ("temperature", "top_p")
    sent = {name: value for name in taken if (value := request.take(name)) is not None}
    stops = request.take("stop_sequences")
    if stops and len(stops) > MAX_STOP_SEQUENCES:
        raise request.problem("stop_sequences", f"must have at most {MAX_STOP_SEQUENCES} entries for this model.")
    return {**sent, "stop": stops} if stops else sent
