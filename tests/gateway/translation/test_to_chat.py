"""Requests of the Messages API for a Chat Completions server: fields, one by one."""

from typing import Any

import pytest

from gateway.problems import Problem
from tests.gateway.dialects.bodies import refused
from tests.gateway.translation.translating import asked_in_messages, to_chat
from upstreams.events import BlockOpened

TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def test_a_plain_request_is_a_plain_request() -> None:
    told = to_chat(asked_in_messages())
    assert told.body == {
        "model": "their-name",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "stream": False,
    }
    assert told.dropped == []


def test_a_stream_reports_its_usage() -> None:
    body = to_chat(asked_in_messages(stream=True)).body
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0.7}, {"temperature": 0.7}),
    ({"temperature": 0}, {"temperature": 0}),
    ({"top_p": 0.9}, {"top_p": 0.9}),
    ({"stop_sequences": ["a", "b", "c", "d"]}, {"stop": ["a", "b", "c", "d"]}),
    ({"stop_sequences": []}, {}),
    ({"metadata": {"user_id": "u"}}, {"user": "u"}),
    ({"service_tier": "auto"}, {"service_tier": "auto"}),
    ({"service_tier": "standard_only"}, {"service_tier": "default"}),
    ({"cache_control": {"type": "ephemeral"}}, {}),
    (
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "disabled"}, "chat_template_kwargs": {"enable_thinking": False}},
    ),
    (
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "response", "strict": True, "schema": SCHEMA},
            }
        },
    ),
    ({"tools": []}, {}),
    ({"tools": [TOOL]}, {"tools": [{"type": "function", "function": FUNCTION}]}),
    (
        {"tools": [{**TOOL, "type": "custom", "strict": True, "cache_control": {"type": "ephemeral"}}]},
        {"tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}]},
    ),
]


@pytest.mark.parametrize(("asked", "sent"), FIELDS, ids=str)
def test_a_field_has_its_equivalent(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    told = to_chat(asked_in_messages(**asked))
    assert told.body == {**to_chat(asked_in_messages()).body, **sent}
    assert told.dropped == []


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"tool_choice": "auto", "parallel_tool_calls": False}),
        ({"type": "auto", "disable_parallel_tool_use": False}, {"tool_choice": "auto"}),
    ],
    ids=str,
)
def test_the_choice_of_tools_has_its_equivalent(choice: dict[str, Any], sent: dict[str, Any]) -> None:
    body = to_chat(asked_in_messages(tools=[TOOL], tool_choice=choice)).body
    assert {name: body[name] for name in ("tool_choice", "parallel_tool_calls") if name in body} == sent


@pytest.mark.parametrize(
    ("asked", "dropped"),
    [
        ({"top_k": 5}, ["top_k"]),
        ({"container": "c"}, ["container"]),
        ({"inference_geo": "eu", "speed": "fast", "diagnostics": {}}, ["inference_geo", "speed", "diagnostics"]),
        ({"mood": "good"}, ["mood"]),
        ({"mood": None}, []),
        ({"mood\r\nset-cookie: x": 1, "a,b": 2}, ["unknown"]),
        ({"metadata": {"team": "t"}}, ["metadata.team"]),
        ({"output_config": {"effort": "low", "tone": "dry"}}, ["output_config.effort", "output_config.tone"]),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}, ["thinking"]),
        ({"thinking": {"type": "adaptive"}}, ["thinking"]),
        ({"tools": [{**TOOL, "input_examples": [{}]}]}, ["tools.0.input_examples"]),
    ],
    ids=str,
)
def test_a_field_without_equivalent_is_left_out_and_named(asked: dict[str, Any], dropped: list[str]) -> None:
    told = to_chat(asked_in_messages(**asked))
    assert told.dropped == dropped
    assert set(told.body) <= {"model", "messages", "max_tokens", "stream", "tools"}


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, "output_format"),
        ({"mcp_servers": [{"type": "url", "url": "https://example.org", "name": "m"}]}, "mcp_servers"),
        ({"stop_sequences": ["a", "b", "c", "d", "e"]}, "stop_sequences"),
        ({"tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}]}, "tools.1.type"),
    ],
)
def test_a_field_that_changes_the_answer_is_refused(asked: dict[str, Any], path: str) -> None:
    with pytest.raises(Problem) as raised:
        to_chat(asked_in_messages(**asked))
    assert refused(raised) == path


@pytest.mark.parametrize("name", ["n" * 65, "mcp__plugin_chrome-devtools-mcp_chrome-devtools__get_console_message"])
def test_a_long_name_is_short_for_the_server_alone(name: str) -> None:
    tools = [{**TOOL, "name": name}, TOOL]
    use = {"type": "tool_use", "id": "a", "name": name, "input": {}}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "ok"}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    told = to_chat(asked_in_messages(tools=tools, tool_choice={"type": "tool", "name": name}, messages=messages))
    short = told.body["tools"][0]["function"]["name"]
    assert len(short) <= 64 and short != "f" and told.body["tools"][1]["function"]["name"] == "f"
    assert told.body["tool_choice"]["function"]["name"] == short
    assert told.body["messages"][1]["tool_calls"][0]["function"]["name"] == short
    opened = BlockOpened({"type": "tool_use", "id": "b", "name": short, "input": {}})
    assert told.translate_reply([opened]) == [BlockOpened({**opened.block, "name": name})]


@pytest.mark.parametrize("user", ["u" * 65, "ada@example.org"])
def test_a_user_that_the_server_would_refuse_is_hashed(user: str) -> None:
    hashed = to_chat(asked_in_messages(metadata={"user_id": user})).body["user"]
    assert len(hashed) == 64 and int(hashed, 16)
    assert hashed == to_chat(asked_in_messages(metadata={"user_id": user})).body["user"]


def test_a_server_gets_the_fields_that_it_knows() -> None:
    told = to_chat(asked_in_messages(top_k=5), max_tokens_field="max_completion_tokens", accepts_top_k=True)
    assert (told.body["max_completion_tokens"], told.body["top_k"], told.dropped) == (9, 5, [])
    assert "max_tokens" not in told.body


@pytest.mark.parametrize(
    ("asked", "effort"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4095}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 12288}}, "high"),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "xhigh"}}, "xhigh"),
        ({"output_config": {"effort": "max"}}, "max"),
        ({"thinking": {"type": "between_tools"}}, None),
    ],
    ids=str,
)
def test_thinking_becomes_an_effort_if_the_server_supports_one(asked: dict[str, Any], effort: str | None) -> None:
    told = to_chat(asked_in_messages(max_tokens=20_000, **asked), reasoning_effort=True)
    assert (told.body.get("reasoning_effort"), told.dropped) == (effort, [])
