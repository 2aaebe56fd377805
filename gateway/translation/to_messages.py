"""A request of the Chat Completions API as one of the Messages API."""

from typing import Any, Final

from gateway.translation.asked import Asked
from gateway.translation.messages_history import history
from gateway.translation.thinking import Thinking, messages_thinking
from gateway.translation.tools import messages_tools
from upstreams.parameters import ModelLimits

_LEAST_TOP_P_WHEN_THINKING: Final = 0.95
_OTHER_ANSWERS: Final = ("logprobs", "top_logprobs", "audio", "functions", "function_call")
"""Without these the answer would lack what was asked for."""
_SILENT_WHEN_EMPTY: Final = ("presence_penalty", "frequency_penalty", "logit_bias", "metadata", "store")
"""An empty one, or a penalty of 0, asks for nothing."""


def messages_body(asked: Asked, limits: ModelLimits) -> dict[str, Any]:
    _refuse(asked)
    told = history(asked)
    tools = messages_tools(asked)
    is_forced = tools.get("tool_choice", {}).get("type") in ("any", "tool")
    # An answer that is begun cannot be thought about. Nor, on a budget, one that must or does use tools:
    # the thinking with which their use began did not come back.
    may_budget = not (told.is_begun or told.is_using_tools or is_forced)
    thinking = messages_thinking(asked, limits, may_think=not told.is_begun, may_budget=may_budget)
    asked.take("stream_options")
    sent: dict[str, Any] = {
        "max_tokens": thinking.max_tokens,
        "stream": bool(asked.take("stream")),
        "messages": told.messages,
        **({"system": told.system} if told.system else {}),
        **tools,
        **thinking.fields,
        **_sampling(asked, thinking),
    }
    if stops := _stops(asked):
        sent["stop_sequences"] = stops
    if (schema := _schema(asked)) is not None:
        sent["output_config"] = {**sent.get("output_config", {}), "format": {"type": "json_schema", "schema": schema}}
    return sent | _extras(asked)


def _refuse(asked: Asked) -> None:
    for name in _OTHER_ANSWERS:
        if asked.take(name):
            raise asked.problem(name, "is not supported by this model.")
    if (asked.take("n") or 1) > 1:
        raise asked.problem("n", "must be 1 for this model.")
    if set(asked.take("modalities") or []) - {"text"}:
        raise asked.problem("modalities", 'must be ["text"] for this model.')


def _sampling(asked: Asked, thinking: Thinking) -> dict[str, Any]:
    """Servers take either temperature or top_p, and next to nothing of both while the model thinks."""
    temperature, top_p = asked.take("temperature"), asked.take("top_p")
    if temperature is not None and (temperature > 1 or (thinking.is_on and temperature < 1)):
        asked.drop("temperature")
    if temperature is not None and not thinking.is_on:
        if top_p not in (None, 1):
            asked.drop("top_p")
        return {"temperature": min(temperature, 1)}
    if thinking.is_on and top_p is not None and top_p < _LEAST_TOP_P_WHEN_THINKING:
        asked.drop("top_p")
        return {}
    return {} if top_p is None else {"top_p": top_p}


def _stops(asked: Asked) -> list[str]:
    stop = asked.take("stop")
    stops: list[str] = [stop] if isinstance(stop, str) else stop or []
    if any(not each.strip() for each in stops):
        raise asked.problem("stop", "must contain more than white space for this model.")
    return stops


def _schema(asked: Asked) -> dict[str, Any] | None:
    wanted = asked.take("response_format") or {"type": "text"}
    if wanted["type"] == "text":
        return None
    schema: dict[str, Any] | None = wanted.get("json_schema", {}).get("schema")
    if wanted["type"] == "json_object" or schema is None:
        raise asked.problem("response_format", "must contain a json_schema with a schema for this model.")
    return schema


def _extras(asked: Asked) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    user, safety = asked.take("user"), asked.take("safety_identifier")
    if user or safety:
        sent["metadata"] = {"user_id": user or safety}
    tier = asked.take("service_tier")
    if tier == "auto":
        sent["service_tier"] = tier
    elif tier:
        asked.drop("service_tier")
    for name in _SILENT_WHEN_EMPTY:
        if asked.take(name):
            asked.drop(name)
    asked.drop_rest()
    return sent
