"""A request for an upstream of the same protocol reaches it as it is: only the upstream knows its values."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.serving.output_limits import UNKNOWN_MAXIMUM
from ledger.booking.entries import DEFAULT_MAX_TOKENS
from tests.fakes import ModelServer
from tests.gateway.serving.asking import tell
from tests.gateway.serving.programs import Programs, asks
from upstreams.endpoint import ProtocolName

PATHS = {ProtocolName.ANTHROPIC: "/v1/messages", ProtocolName.OPENAI: "/v1/chat/completions"}
QUESTION = [{"role": "user", "content": "Hi"}]
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
LONG_NAME = "mcp__plugin_chrome-devtools-mcp_chrome-devtools__get_console_message"


@pytest.fixture(scope="module")
def http(programs: Programs) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=programs.url, headers={"x-api-key": programs.secret}, timeout=20) as client:
        yield client


def ask(http: httpx.Client, upstream: ModelServer, **fields: Any) -> dict[str, Any]:
    """Asks with these fields. Returns those that the upstream received."""
    body: dict[str, Any] = {"model": asks(upstream.protocol), "messages": QUESTION}
    if upstream.protocol is ProtocolName.ANTHROPIC:
        body["max_tokens"] = 16000
    tell(upstream)
    answer = http.post(PATHS[upstream.protocol], json=body | fields)
    assert answer.status_code == 200, answer.text
    sent: dict[str, Any] = upstream.requests[-1].json
    return sent


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": -1},
        {"max_tokens": 0},
        {"reasoning_effort": "default"},
        {"reasoning_effort": {"effort": "low"}},
        {"service_tier": "on_demand"},
        {"stop": ["a", "b", "c", "d", "e"]},
        {"stop": []},
        {"tools": [FUNCTION], "tool_choice": "any"},
        {"tools": [FUNCTION], "tool_choice": {"type": "tool", "name": "f"}},
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "other"}}},
        {"tools": [{"type": "function", "function": {"name": LONG_NAME}}]},
        {"tools": [{"type": "function", "function": {"name": "mcp.server/tool"}}]},
        {"tools": [{"googleSearch": {}}]},
        {"tool_choice": "required"},
        {"temperature": 5, "top_p": 7, "presence_penalty": 9},
        {"response_format": {"type": "json_object", "schema": {}}},
        {"response_format": {"type": "grammar", "value": "root ::= x"}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}},
        {"stream_options": {"include_usage": True}},
        {"top_logprobs": 50},
        {"logprobs": 5},
        {"logit_bias": [[5, -100]]},
        {"seed": 2**63},
        {"metadata": {"deep": {"er": [1]}}},
        {"modalities": "text"},
        {"user": 7},
        {"messages": [{"role": "critic", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://example.org/a.png"}]}]},
        {"messages": [*QUESTION, {"role": "assistant", "content": None}]},
        {"messages": [*QUESTION, {"role": "assistant", "tool_calls": [{"function": {"arguments": {"a": 1}}}]}]},
        {"messages": [*QUESTION, {"role": "tool", "content": None}]},
    ],
    ids=str,
)
def test_values_of_chat_completions_are_the_upstreams_to_judge(
    http: httpx.Client, chat: ModelServer, fields: dict[str, Any]
) -> None:
    sent = ask(http, chat, **fields)
    assert {name: sent.get(name) for name in fields} == fields


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{**TOOL, "name": LONG_NAME}]},
        {"tools": [{**TOOL, "name": "mcp.server/tool"}]},
        {"tools": [{"name": "f", "input_schema": {}}, {"name": "f"}]},
        {"tools": [TOOL], "tool_choice": {"type": "required"}},
        {"tool_choice": "auto"},
        {"temperature": 1.5},
        {"thinking": {"type": "enabled", "budget_tokens": 100}},
        {"thinking": {"type": "always"}},
        {"output_config": {"effort": "minimal"}},
        {"service_tier": "priority"},
        {"cache_control": {"type": "ephemeral", "ttl": "24h"}},
        {"stop_sequences": ["\n"]},
        {"metadata": {"user_id": None, "team": "a"}},
        {"messages": [{"role": "developer", "content": "Hi"}]},
        {"messages": [*QUESTION, {"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": ""}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64"}}]}]},
    ],
    ids=str,
)
def test_values_of_messages_are_the_upstreams_to_judge(
    http: httpx.Client, messages: ModelServer, fields: dict[str, Any]
) -> None:
    sent = ask(http, messages, **fields)
    assert {name: sent.get(name) for name in fields} == fields


@pytest.mark.parametrize("limit", [-1, -2, 0])
def test_no_limit_is_reserved_like_a_missing_one(
    http: httpx.Client, programs: Programs, chat: ModelServer, limit: int
) -> None:
    ask(http, chat, max_tokens=limit)
    entry = programs.settled()
    assert entry.reserved_tokens == entry.prompt_estimate + DEFAULT_MAX_TOKENS


@pytest.mark.parametrize("budget", [16000, 30000, 10**8])
def test_a_thinking_budget_above_the_limit_is_passed_on_and_reserved(
    http: httpx.Client, programs: Programs, messages: ModelServer, budget: int
) -> None:
    thinking = {"type": "enabled", "budget_tokens": budget}
    assert ask(http, messages, thinking=thinking, tools=[TOOL])["thinking"] == thinking
    entry = programs.settled()
    assert entry.reserved_tokens == entry.prompt_estimate + min(16000 + budget, UNKNOWN_MAXIMUM)


def test_unsigned_thinking_is_taken_back(http: httpx.Client, messages: ModelServer) -> None:
    said = [{"type": "thinking", "thinking": "secret plan"}, {"type": "text", "text": "Answer"}]
    sent = ask(http, messages, messages=[*QUESTION, {"role": "assistant", "content": said}, *QUESTION])
    assert sent["messages"][1]["content"] == said[1:]


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_a_request_without_a_version_is_one_of_the_first_version(
    programs: Programs, messages: ModelServer, header: str
) -> None:
    tell(messages)
    key = programs.secret if header == "x-api-key" else f"Bearer {programs.secret}"
    body = {"model": "test-anthropic", "max_tokens": 1024, "messages": QUESTION}
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert httpx.post(programs.url + path, json=body, headers={header: key}).status_code == 200
    assert messages.requests[-1].headers["anthropic-version"] == "2023-06-01"


COUNTED: list[dict[str, Any]] = [{"tools": [{**TOOL, "name": "n" * 200}]}, {"thinking": {"type": "always"}}]


@pytest.mark.parametrize("fields", COUNTED, ids=str)
def test_a_count_leaves_values_to_the_upstream_too(
    http: httpx.Client, messages: ModelServer, fields: dict[str, Any]
) -> None:
    messages.count = 7
    answer = http.post("/v1/messages/count_tokens", json={"model": "test-anthropic", "messages": QUESTION, **fields})
    assert (answer.status_code, answer.json()) == (200, {"input_tokens": 7})
