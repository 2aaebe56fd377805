"""Checks a request of the Chat Completions API that is translated for an upstream of the other protocol."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.dialects.checks import (
    anything,
    array,
    boolean,
    by_type,
    integer,
    mapping,
    name,
    number,
    record,
    string,
    string_or,
    text,
    values,
    words,
)
from gateway.dialects.essentials import MAX_ANSWERS
from gateway.problems import Problem

MAX_STOPS: Final = 4
MAX_METADATA: Final = 16

_PARTS: Final = string_or(
    array(
        by_type(
            {
                "text": record({"text": string}),
                "refusal": record({"refusal": string}),
                "image_url": record(
                    {"image_url": record({"url": text}, {"detail": words("auto", "low", "high", "original")})}
                ),
                "input_audio": record({"input_audio": record({"data": string, "format": words("wav", "mp3")})}),
                "file": record({"file": record({}, {"file_data": string, "file_id": string, "filename": string})}),
            }
        )
    )
)
_FUNCTION_CALL: Final = record({"name": text, "arguments": string})
_TOOL_CALL: Final = by_type(
    {
        "function": record({"id": text, "function": _FUNCTION_CALL}),
        "custom": record({"id": text, "custom": record({"name": text, "input": string})}),
    }
)
_AUTHORED: Final = record({"content": _PARTS}, {"name": string})
_MESSAGES: Final = {
    "system": _AUTHORED,
    "developer": _AUTHORED,
    "user": _AUTHORED,
    "assistant": record(
        {},
        {
            "content": _PARTS,
            "name": string,
            "refusal": string,
            "tool_calls": array(_TOOL_CALL),
            "function_call": _FUNCTION_CALL,
        },
    ),
    "tool": record({"tool_call_id": text, "content": _PARTS}),
    "function": record({"name": text}, {"content": string}),
}
_ROLES: Final = record({"role": words(*_MESSAGES)})
_CONTENT_FIELDS: Final = ("content", "tool_calls", "function_call", "refusal", "audio")


def _message(value: Any, path: str) -> None:
    _ROLES(value, path)
    _MESSAGES[value["role"]](value, path)
    if value["role"] == "assistant" and all(value.get(field) is None for field in _CONTENT_FIELDS):
        raise Problem.at(f"{path}.content", "is required if there are no tool calls.")


def _stop(value: object, path: str) -> None:
    if not isinstance(value, str):
        array(string, most=MAX_STOPS)(value, path)


def _limit(value: object, path: str) -> None:
    # -1 means no limit to some servers.
    if value != -1:
        integer(1)(value, path)


def _metadata(value: Any, path: str) -> None:
    values(string)(value, path)
    if len(value) > MAX_METADATA:
        raise Problem.at(path, f"must have at most {MAX_METADATA} entries.")


_FUNCTION: Final = record({"name": name}, {"description": string, "parameters": mapping, "strict": boolean})
_PENALTY: Final = number(-2, 2)
_REQUEST: Final = record(
    {"model": text, "messages": array(_message, least=1)},
    {
        "max_tokens": _limit,
        "max_completion_tokens": _limit,
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "stream": boolean,
        "stream_options": record({}, {"include_usage": boolean, "include_obfuscation": boolean}),
        "stop": _stop,
        "presence_penalty": _PENALTY,
        "frequency_penalty": _PENALTY,
        "n": integer(1, MAX_ANSWERS),
        "seed": integer(-(2**63), 2**63 - 1),
        "user": string,
        "safety_identifier": string,
        "logprobs": boolean,
        "top_logprobs": integer(0, 20),
        "logit_bias": values(number(-100, 100)),
        "tools": array(by_type({"function": record({"function": _FUNCTION}), "custom": record({"custom": mapping})})),
        "tool_choice": string_or(
            by_type(
                {
                    "function": record({"function": record({"name": text})}),
                    "custom": record({"custom": record({"name": text})}),
                    "allowed_tools": anything,
                },
                closed=True,
            ),
            "an object",
        ),
        "parallel_tool_calls": boolean,
        "response_format": by_type(
            {
                "text": anything,
                "json_object": anything,
                "json_schema": record({"json_schema": record({"name": name}, {"schema": mapping, "strict": boolean})}),
            },
            closed=True,
        ),
        "reasoning_effort": words("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        "metadata": _metadata,
        "store": boolean,
        "service_tier": words("auto", "default", "flex", "scale", "priority", "fast"),
        "verbosity": string,
        "modalities": array(string),
        "functions": array(_FUNCTION),
    },
)
# "any" is how some servers spell "required".
_CHOICES: Final = words("none", "auto", "required", "any")


def check(body: Mapping[str, Any]) -> None:
    """Checks a request for a completion. Raises the Problem of the first wrong field."""
    _REQUEST(body, "")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise Problem.at("stream_options", "can only be given when stream is true.")
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise Problem.at("top_logprobs", "can only be given when logprobs is true.")
    _check_choice(body)


def _check_choice(body: Mapping[str, Any]) -> None:
    choice, tools = body.get("tool_choice"), body.get("tools") or []
    if isinstance(choice, str):
        _CHOICES(choice, "tool_choice")
    if choice not in (None, "none", "auto") and not tools:
        raise Problem.at("tool_choice", "is only allowed with tools.")
    match choice:
        case {"type": "function", "function": {"name": called}}:
            if called not in (tool["function"]["name"] for tool in tools if tool["type"] == "function"):
                raise Problem.at("tool_choice.function.name", "must be the name of one of the tools.")
