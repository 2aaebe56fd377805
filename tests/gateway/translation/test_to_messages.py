"""Requests of the Chat Completions API for a Messages server: fields, one by one."""

from typing import Any

import pytest

from gateway.problems import Problem
from tests.gateway.dialects.bodies import refused
from tests.gateway.translation.translating import HELLO, asked_in_chat, to_messages
from upstreams.parameters import ModelLimits

FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {}}}}
TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {}}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
BUDGETED = ModelLimits(supports_thinking=True)
USER_FIELDS = ("user", "safety_identifier")
ADAPTIVE = ModelLimits(supports_thinking=True, thinks_adaptively=True)


def test_a_plain_request_is_a_plain_request() -> None:
    told = to_messages(asked_in_chat())
    assert told.body == {
        "model": "their-name",
        "max_tokens": 4096,
        "stream": False,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }
    assert told.dropped == []


FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_tokens": 5}, {"max_tokens": 5}),
    ({"max_completion_tokens": 6}, {"max_tokens": 6}),
    ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
    ({"temperature": 0.7}, {"temperature": 0.7}),
    ({"temperature": 0.7, "top_p": 1}, {"temperature": 0.7}),
    ({"top_p": 0.9}, {"top_p": 0.9}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
    ({"stop": "END"}, {"stop_sequences": ["END"]}),
    ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
    ({"stop": None}, {}),
    ({"stop": []}, {}),
    ({"presence_penalty": 0, "frequency_penalty": None, "logit_bias": {}, "seed": None}, {}),
    ({"n": 1, "modalities": ["text"], "logprobs": False, "audio": None}, {}),
    ({"response_format": {"type": "text"}}, {}),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ),
    ({"user": "u"}, {"metadata": {"user_id": "u"}}),
    ({"safety_identifier": "s"}, {"metadata": {"user_id": "s"}}),
    ({"user": "u", "safety_identifier": "s"}, {"metadata": {"user_id": "u"}}),
    ({"service_tier": "auto"}, {"service_tier": "auto"}),
    ({"metadata": {}, "store": False, "verbosity": None}, {}),
    ({"tools": [], "tool_choice": "none", "parallel_tool_calls": False}, {}),
    ({"tools": [{"type": "function", "function": FUNCTION}]}, {"tools": [TOOL]}),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
        {"tools": [{"name": "f", "strict": True, "input_schema": {"type": "object", "properties": {}}}]},
    ),
]


@pytest.mark.parametrize(("asked", "sent"), FIELDS, ids=str)
def test_a_field_has_its_equivalent(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    told = to_messages(asked_in_chat(**asked))
    assert told.body == {**to_messages(asked_in_chat()).body, **sent}
    assert told.dropped == []


@pytest.mark.parametrize(
    ("asked", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "any"}, {"type": "any"}),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, {"type": "tool", "name": "f"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": True}, None),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
    ],
    ids=str,
)
def test_the_choice_of_tools_has_its_equivalent(asked: dict[str, Any], choice: dict[str, Any] | None) -> None:
    body = to_messages(asked_in_chat(tools=[{"type": "function", "function": FUNCTION}], **asked)).body
    assert body.get("tool_choice") == choice


@pytest.mark.parametrize(
    ("asked", "dropped", "sent"),
    [
        ({"temperature": 1.5}, ["temperature"], {"temperature": 1}),
        ({"temperature": 0.5, "top_p": 0.9}, ["top_p"], {"temperature": 0.5}),
        ({"presence_penalty": 1, "frequency_penalty": -0.5}, ["presence_penalty", "frequency_penalty"], {}),
        ({"seed": 0}, ["seed"], {}),
        ({"logit_bias": {"1": 5}}, ["logit_bias"], {}),
        ({"service_tier": "flex"}, ["service_tier"], {}),
        ({"metadata": {"a": "b"}, "store": True}, ["metadata", "store"], {}),
        ({"verbosity": "low", "prompt_cache_key": "k"}, ["verbosity", "prompt_cache_key"], {}),
        ({"prediction": {}, "web_search_options": {}}, ["prediction", "web_search_options"], {}),
        ({"reasoning_effort": "high"}, ["reasoning_effort"], {}),
        ({"mood": "good"}, ["mood"], {}),
        ({"messages": [{**HELLO[0], "name": "Ada"}]}, ["messages.0.name"], {}),
    ],
    ids=str,
)
def test_a_field_without_equivalent_is_left_out_and_named(
    asked: dict[str, Any], dropped: list[str], sent: dict[str, Any]
) -> None:
    told = to_messages(asked_in_chat(**asked))
    assert told.dropped == dropped
    assert told.body == {**to_messages(asked_in_chat()).body, **sent}


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"stop": " "}, "stop"),
        ({"stop": ["END", "\n"]}, "stop"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"audio": {"voice": "v"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, "response_format"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools.0.type"),
        (
            {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": {"type": "allowed_tools"}},
            "tool_choice.type",
        ),
        ({"functions": [{"name": "f"}]}, "functions"),
    ],
    ids=str,
)
def test_a_field_that_changes_the_answer_is_refused(asked: dict[str, Any], path: str) -> None:
    with pytest.raises(Problem) as raised:
        to_messages(asked_in_chat(**asked))
    assert refused(raised) == path


def test_any_json_object_is_asked_for_in_words() -> None:
    system = {"role": "system", "content": "Be kind."}
    told = to_messages(asked_in_chat(messages=[system, *HELLO], response_format={"type": "json_object"}))
    assert told.body["system"][0] == {"type": "text", "text": "Be kind."}
    assert "JSON object" in told.body["system"][1]["text"] and "output_config" not in told.body
    assert told.dropped == []


@pytest.mark.parametrize("limit", [{"max_tokens": -1}, {"max_completion_tokens": -1}])
def test_no_limit_is_the_models_default(limit: dict[str, int]) -> None:
    assert to_messages(asked_in_chat(**limit)).body == to_messages(asked_in_chat()).body


@pytest.mark.parametrize("user", ["u" * 257, "ada@example.org", "ü" * 300])
def test_a_user_that_the_server_would_refuse_is_hashed(user: str) -> None:
    [id] = {to_messages(asked_in_chat(**{name: user})).body["metadata"]["user_id"] for name in USER_FIELDS}
    assert len(id) == 64 and int(id, 16)


def test_the_default_output_limit_is_no_more_than_the_model_writes() -> None:
    assert to_messages(asked_in_chat(), ModelLimits(max_output_tokens=1000)).body["max_tokens"] == 1000


def thinking(limits: ModelLimits, **asked: Any) -> tuple[Any, ...]:
    """The thinking, effort and output limit that are sent, and the dropped fields."""
    told = to_messages(asked_in_chat(**asked), limits)
    effort = told.body.get("output_config", {}).get("effort")
    return told.body.get("thinking"), effort, told.body["max_tokens"], told.dropped


def budget(tokens: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


DISABLED = {"type": "disabled"}


@pytest.mark.parametrize(
    ("limits", "asked", "sent"),
    [
        (ADAPTIVE, {"reasoning_effort": "low"}, ({"type": "adaptive"}, "low", 16384, [])),
        (ADAPTIVE, {"reasoning_effort": "max", "max_tokens": 50}, ({"type": "adaptive"}, "max", 50, [])),
        (ADAPTIVE, {"reasoning_effort": "none"}, (DISABLED, None, 4096, [])),
        (BUDGETED, {"reasoning_effort": "minimal", "max_tokens": 50}, (DISABLED, None, 50, [])),
        (BUDGETED, {"reasoning_effort": "low"}, (budget(2048), None, 4096 + 2048, [])),
        (BUDGETED, {"reasoning_effort": "medium"}, (budget(8192), None, 4096 + 8192, [])),
        (BUDGETED, {"reasoning_effort": "high"}, (budget(16384), None, 4096 + 16384, [])),
        (BUDGETED, {"reasoning_effort": "xhigh"}, (budget(32768), None, 4096 + 32768, [])),
        (BUDGETED, {"reasoning_effort": "high", "max_tokens": 4000}, (budget(3999), None, 4000, [])),
        (BUDGETED, {"reasoning_effort": "high", "max_tokens": 1024}, (None, None, 1024, ["reasoning_effort"])),
        (ModelLimits(), {"reasoning_effort": "none"}, (DISABLED, None, 4096, [])),
        (ModelLimits(), {"reasoning_effort": "minimal"}, (DISABLED, None, 4096, [])),
        (BUDGETED, {"thinking": DISABLED}, (DISABLED, None, 4096, [])),
        (ADAPTIVE, {"chat_template_kwargs": {"enable_thinking": False}}, (DISABLED, None, 4096, [])),
        (BUDGETED, {"thinking": DISABLED, "reasoning_effort": "low"}, (DISABLED, None, 4096, [])),
        (ModelLimits(), {"chat_template_kwargs": {"x": 1}}, (None, None, 4096, ["chat_template_kwargs"])),
    ],
    ids=str,
)
def test_an_effort_becomes_the_models_kind_of_thinking(
    limits: ModelLimits, asked: dict[str, Any], sent: tuple[Any, ...]
) -> None:
    assert thinking(limits, **asked) == sent


@pytest.mark.parametrize(
    ("asked", "sent", "dropped"),
    [
        ({"temperature": 0.5}, {}, ["temperature"]),
        ({"temperature": 1}, {}, []),
        ({"top_p": 0.5}, {}, ["top_p"]),
        ({"top_p": 0.95}, {"top_p": 0.95}, []),
    ],
    ids=str,
)
def test_sampling_is_left_alone_while_the_model_thinks(
    asked: dict[str, Any], sent: dict[str, Any], dropped: list[str]
) -> None:
    told = to_messages(asked_in_chat(reasoning_effort="low", **asked), BUDGETED)
    assert {name: told.body[name] for name in ("temperature", "top_p") if name in told.body} == sent
    assert told.dropped == dropped


def test_a_forced_tool_excludes_a_thinking_budget() -> None:
    asked = {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "required"}
    assert thinking(BUDGETED, reasoning_effort="low", **asked) == (None, None, 4096, ["reasoning_effort"])
    assert thinking(ADAPTIVE, reasoning_effort="low", **asked)[0] == {"type": "adaptive"}


def test_results_of_tools_exclude_a_thinking_budget() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        *HELLO,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "x"},
    ]
    assert thinking(BUDGETED, reasoning_effort="low", messages=messages)[3] == ["reasoning_effort"]
    assert thinking(ADAPTIVE, reasoning_effort="low", messages=messages)[3] == []


def test_a_prefilled_answer_excludes_thinking() -> None:
    messages = [*HELLO, {"role": "assistant", "content": "Once"}]
    assert thinking(ADAPTIVE, reasoning_effort="low", messages=messages) == (None, None, 4096, ["reasoning_effort"])
