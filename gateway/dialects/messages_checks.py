"""Checks a request of the Messages API that is translated for an upstream of the other protocol."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.dialects.checks import (
    Rule,
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
    words,
)
from gateway.problems import Problem

MAX_MESSAGES: Final = 100_000
MIN_BUDGET: Final = 1024

_TEXT: Final = record({"text": string})
_SOURCE: Final = by_type(
    {
        "base64": record({"media_type": string, "data": string}),
        "url": record({"url": string}),
        "file": record({"file_id": string}),
        "text": record({"data": string}),
        "content": record({"content": string_or(array(by_type({"text": _TEXT})))}),
    }
)
_INNER: Final = {
    "text": _TEXT,
    "image": record({"source": _SOURCE}),
    "document": record({"source": _SOURCE}, {"title": string, "context": string}),
    "search_result": record({"source": string, "title": string, "content": array(by_type({"text": _TEXT}))}),
}
_USER_BLOCKS: Final = {
    "tool_result": record({"tool_use_id": text}, {"content": string_or(array(by_type(_INNER))), "is_error": boolean}),
}
_ASSISTANT_BLOCKS: Final = {
    "tool_use": record({"id": text, "name": text, "input": mapping}),
    # Some servers do not sign their thinking.
    "thinking": record({"thinking": string}, {"signature": string}),
    "redacted_thinking": record({"data": string}),
}


def _refuse_misplaced(role: str) -> Rule:
    def rule(value: Mapping[str, Any], path: str) -> None:
        raise Problem.at(f"{path}.type", f'"{value["type"]}" can only appear in messages with the role "{role}".')

    return rule


def _blocks(own: Mapping[str, Rule], others: Mapping[str, Rule], role: str) -> Rule:
    return string_or(array(by_type({**_INNER, **own, **{kind: _refuse_misplaced(role) for kind in others}})))


_CONTENT: Final = {
    "user": _blocks(_USER_BLOCKS, _ASSISTANT_BLOCKS, "assistant"),
    "assistant": _blocks(_ASSISTANT_BLOCKS, _USER_BLOCKS, "user"),
    "system": string_or(array(by_type({"text": _TEXT}))),
}
_ROLES: Final = record({"role": words(*_CONTENT), "content": anything})


def _message(value: Any, path: str) -> None:
    _ROLES(value, path)
    _CONTENT[value["role"]](value["content"], f"{path}.content")


def _tool(value: Any, path: str) -> None:
    mapping(value, path)
    if value.get("type") in (None, "custom"):
        _CUSTOM_TOOL(value, path)
    else:
        _VENDORS_TOOL(value, path)


def _stop_sequence(value: object, path: str) -> None:
    string(value, path)
    if not str(value).strip():
        raise Problem.at(path, "must contain more than white space.")


_CUSTOM_TOOL: Final = record(
    {"name": name, "input_schema": record({"type": words("object")})}, {"description": string, "strict": boolean}
)
_VENDORS_TOOL: Final = record({"type": text})
_PARALLEL: Final = {"disable_parallel_tool_use": boolean}
_DISPLAY: Final = {"display": words("summarized", "omitted")}
_PROMPT_FIELDS: Final = {
    "system": string_or(array(by_type({"text": _TEXT}, closed=True))),
    "tools": array(_tool),
    "tool_choice": by_type(
        {
            "auto": record({}, _PARALLEL),
            "any": record({}, _PARALLEL),
            "tool": record({"name": text}, _PARALLEL),
            "none": anything,
        },
        closed=True,
    ),
    "thinking": by_type(
        {
            "enabled": record({"budget_tokens": integer(MIN_BUDGET)}, _DISPLAY),
            "disabled": anything,
            "adaptive": record({}, _DISPLAY),
            "between_tools": anything,
        },
        closed=True,
    ),
    "output_config": record(
        {},
        {
            "effort": words("low", "medium", "high", "xhigh", "max"),
            "format": by_type({"json_schema": record({"schema": mapping})}, closed=True),
        },
    ),
    "cache_control": by_type({"ephemeral": record({}, {"ttl": words("5m", "1h")})}),
}
_REQUIRED_FIELDS: Final = {"model": text, "messages": array(_message, least=1, most=MAX_MESSAGES)}
_COUNT: Final = record(_REQUIRED_FIELDS, _PROMPT_FIELDS)
_REQUEST: Final = record(
    # 0 warms up a cache, which only servers of this protocol can do.
    {**_REQUIRED_FIELDS, "max_tokens": integer(0)},
    {
        **_PROMPT_FIELDS,
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "top_k": integer(0),
        "stream": boolean,
        "stop_sequences": array(_stop_sequence),
        "metadata": record({}, {"user_id": string}),
        "service_tier": words("auto", "standard_only"),
    },
)


def check(body: Mapping[str, Any]) -> None:
    """Checks a request for a reply. Raises the Problem of the first wrong field."""
    _REQUEST(body, "")
    _check_tools(body)


def check_count(body: Mapping[str, Any]) -> None:
    """Checks a request to count tokens, which has no fields about the reply."""
    _COUNT(body, "")
    _check_tools(body)


def _check_tools(body: Mapping[str, Any]) -> None:
    tools: list[Mapping[str, Any]] = body.get("tools") or []
    seen: set[str] = set()
    for place, tool in enumerate(tools):
        called = tool.get("name")
        if called in seen:
            raise Problem.at(f"tools.{place}.name", "is already the name of another tool.")
        if isinstance(called, str):
            seen.add(called)
    choice = body.get("tool_choice")
    if choice and not tools:
        raise Problem.at("tool_choice", "is only allowed with tools.")
    if choice and choice["type"] == "tool" and choice["name"] not in seen:
        raise Problem.at("tool_choice.name", "must be the name of one of the tools.")
