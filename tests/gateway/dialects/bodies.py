"""Requests of both protocols as clients send them, and small changes to them."""

from copy import deepcopy
from enum import Enum
from typing import Any

import pytest

from gateway.problems import Problem

MESSAGES: dict[str, Any] = {
    "model": "m",
    "max_tokens": 2048,
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "What is the weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "text", "text": "I will look."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny", "is_error": False},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
                {"type": "text", "text": "And here?"},
            ],
        },
    ],
    "tools": [{"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {}}}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "temperature": 1,
    "top_p": 0.99,
    "top_k": 3,
    "stream": True,
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "service_tier": "auto",
    "cache_control": {"type": "ephemeral", "ttl": "5m"},
}

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is the weather?"},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ],
    "max_completion_tokens": 100,
    "temperature": 1.5,
    "top_p": 0.9,
    "stream": True,
    "stream_options": {"include_usage": True},
    "stop": ["END"],
    "presence_penalty": 0,
    "frequency_penalty": 0.0,
    "n": 1,
    "seed": 7,
    "user": "u",
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {"50256": -100},
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    "reasoning_effort": "low",
    "metadata": {"a": "b"},
    "store": False,
    "service_tier": "auto",
}


class Missing(Enum):
    """Puts its name, not its address in memory, into the test's name, on which workers must agree."""

    MISSING = "missing"


MISSING = Missing.MISSING


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the body with another value at the path, or without it; `+` appends to an array."""
    changed_body = deepcopy(body)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
    place: Any = changed_body
    for step in way:
        place = place[step]
    if value is MISSING:
        del place[last]
    elif last == "+":
        place.append(value)
    else:
        place[last] = value
    return changed_body


def refused(excinfo: pytest.ExceptionInfo[Problem]) -> str:
    """The path of the refused field, with which the message must begin."""
    problem = excinfo.value
    assert (problem.status, problem.kind) == (400, "invalid_request_error")
    assert problem.message.startswith(f"{problem.param}: ")
    return problem.param or ""
