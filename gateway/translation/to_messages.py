"""Translates a request of the Chat Completions API into one of the Messages API."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.ids import shorten_user
from gateway.translation.fields import RequestFields
from gateway.translation.messages_history import read_history
from gateway.translation.thinking import ThinkingFields, messages_thinking
from gateway.translation.tools import messages_tools
from upstreams.endpoint import Endpoint
from upstreams.parameters import ModelLimits

MAX_USER_ID: Final = 256
JSON_ONLY: Final = "Respond with one JSON object and nothing else: no other text, and no code fences."
"""The Messages API has no format for any JSON object."""
_LEAST_TOP_P_WHEN_THINKING: Final = 0.95
_CHANGES_ANSWER: Final = ("logprobs", "top_logprobs", "audio", "functions", "function_call")
"""Without these, the answer would lack something that the client needs."""
_HARMLESS_WHEN_EMPTY: Final = ("presence_penalty", "frequency_penalty", "logit_bias", "metadata", "store")
"""Empty values, and penalties of 0, have no effect."""


def messages_body(request: RequestFields, endpoint: Endpoint, limits: ModelLimits) -> dict[str, Any]:
    _refuse_unsupported(request)
    history = read_history(request)
    if (request.read("response_format") or {}).get("type") == "json_object":
        history.system.append({"type": "text", "text": JSON_ONLY})
    tools = messages_tools(request)
    is_forced = tools.get("tool_choice", {}).get("type") in ("any", "tool")
    # A prefilled answer excludes thinking. A budget also excludes forced tools and their results, because the
    # thinking that preceded them is not in the request.
    may_budget = not (history.is_prefilled or history.is_using_tools or is_forced)
    may_think = not history.is_prefilled
    thinking = messages_thinking(request, endpoint, limits, may_think=may_think, may_budget=may_budget)
    request.take("stream_options")
    sent: dict[str, Any] = {
        "max_tokens": thinking.max_tokens,
        "stream": bool(request.take("stream")),
        "messages": history.messages,
        **({"system": history.system} if history.system else {}),
        **tools,
        **thinking.fields,
        **_sampling(request, thinking),
    }
    if stops := _stops(request):
        sent["stop_sequences"] = stops
    if (schema := _schema(request)) is not None:
        sent["output_config"] = {**sent.get("output_config", {}), "format": {"type": "json_schema", "schema": schema}}
    return sent | _extras(request)


def is_json_object_wanted(body: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Whether the whole answer should be a JSON object. A prefilled answer has begun in the request."""
    is_prefilled = sent["messages"][-1]["role"] == "assistant"
    return (body.get("response_format") or {}).get("type") == "json_object" and not is_prefilled


def _refuse_unsupported(request: RequestFields) -> None:
    for name in _CHANGES_ANSWER:
        if request.take(name):
            raise request.problem(name, "is not supported by this model.")
    if (request.take("n") or 1) > 1:
        raise request.problem("n", "must be 1 for this model.")
    if set(request.take("modalities") or []) - {"text"}:
        raise request.problem("modalities", 'must be ["text"] for this model.')


def _sampling(request: RequestFields, thinking: ThinkingFields) -> dict[str, Any]:
    """Servers accept temperature or top_p but not both, and rarely either while the model thinks."""
    temperature, top_p = request.take("temperature"), request.take("top_p")
    if temperature is not None and (temperature > 1 or (thinking.is_on and temperature < 1)):
        request.drop("temperature")
    if temperature is not None and not thinking.is_on:
        if top_p not in (None, 1):
            request.drop("top_p")
        return {"temperature": min(temperature, 1)}
    if thinking.is_on and top_p is not None and top_p < _LEAST_TOP_P_WHEN_THINKING:
        request.drop("top_p")
        return {}
    return {} if top_p is None else {"top_p": top_p}


def _stops(request: RequestFields) -> list[str]:
    stop = request.take("stop")
    stops: list[str] = [stop] if isinstance(stop, str) else stop or []
    if any(not each.strip() for each in stops):
        raise request.problem("stop", "must contain more than white space for this model.")
    return stops


def _schema(request: RequestFields) -> dict[str, Any] | None:
    wanted = request.take("response_format") or {"type": "text"}
    if wanted["type"] in ("text", "json_object"):
        return None
    schema: dict[str, Any] | None = wanted.get("json_schema", {}).get("schema")
    if schema is None:
        raise request.problem("response_format", "must contain a json_schema with a schema for this model.")
    return schema


def _extras(request: RequestFields) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    user, safety = request.take("user"), request.take("safety_identifier")
    if user or safety:
        sent["metadata"] = {"user_id": shorten_user(user or safety, MAX_USER_ID)}
    tier = request.take("service_tier")
    if tier == "auto":
        sent["service_tier"] = tier
    elif tier:
        request.drop("service_tier")
    for name in _HARMLESS_WHEN_EMPTY:
        if request.take(name):
            request.drop(name)
    request.drop_rest()
    return sent
