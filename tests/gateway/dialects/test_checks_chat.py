"""The Chat Completions API: which requests pass, and which field an error names."""

from typing import Any

import pytest

from gateway.dialects import chat
from gateway.problems import Problem
from tests.gateway.dialects.bodies import CHAT, MISSING, changed, refused

CALL = "messages.3.tool_calls.0"
WRONG: list[tuple[str, Any]] = [
    ("model", MISSING),
    ("model", ""),
    ("messages", MISSING),
    ("messages", "hi"),
    ("messages", []),
    ("messages.0", "hi"),
    ("messages.0.role", MISSING),
    ("messages.0.role", "robot"),
    ("messages.0.content", MISSING),
    ("messages.0.content", None),
    ("messages.2.content", 7),
    ("messages.2.content.0", "hi"),
    ("messages.2.content.0.type", MISSING),
    ("messages.2.content.0.text", MISSING),
    ("messages.2.content.1.image_url", "https://example.org/a.png"),
    ("messages.2.content.1.image_url.url", MISSING),
    ("messages.2.content.1.image_url.detail", "finest"),
    ("messages.2.content.2.file", MISSING),
    ("messages.2.content.2.file.file_data", 7),
    ("messages.2.content.+", {"type": "input_audio", "input_audio": {"data": "AAAA"}}),
    (f"{CALL}.id", MISSING),
    (f"{CALL}.type", MISSING),
    (f"{CALL}.function", MISSING),
    (f"{CALL}.function.name", MISSING),
    (f"{CALL}.function.arguments", {"city": "Paris"}),
    ("messages.3.tool_calls", {}),
    ("messages.4.tool_call_id", MISSING),
    ("messages.4.content", MISSING),
    ("max_tokens", 0),
    ("max_tokens", -2),
    ("max_completion_tokens", "many"),
    ("max_completion_tokens", 1.0),
    ("temperature", 2.1),
    ("top_p", 1.1),
    ("stream", "yes"),
    ("stream_options", True),
    ("stream_options.include_usage", "yes"),
    ("stop", 7),
    ("stop", ["a", "b", "c", "d", "e"]),
    ("stop.0", 7),
    ("presence_penalty", -2.1),
    ("frequency_penalty", 2.1),
    ("n", 0),
    ("seed", 1.5),
    ("user", 7),
    ("logprobs", 1),
    ("top_logprobs", 21),
    ("logit_bias", []),
    ("logit_bias.50256", 101),
    ("tools", {}),
    ("tools.0.type", MISSING),
    ("tools.0.function", MISSING),
    ("tools.0.function.name", "the weather"),
    ("tools.0.function.parameters", []),
    ("tool_choice", "some"),
    ("tool_choice", 7),
    ("tool_choice.type", "tool"),
    ("tool_choice.function", MISSING),
    ("tool_choice.function.name", "other"),
    ("parallel_tool_calls", "no"),
    ("response_format", "json"),
    ("response_format.type", "xml"),
    ("response_format.json_schema", MISSING),
    ("response_format.json_schema.name", MISSING),
    ("response_format.json_schema.schema", "{}"),
    ("reasoning_effort", "some"),
    ("metadata", "a"),
    ("metadata.a", 7),
    ("metadata", {str(n): "" for n in range(17)}),
    ("service_tier", "first"),
    ("functions", {}),
]
NAMED_BELOW = {"messages.2.content.+": "messages.2.content.3.input_audio.format"}


@pytest.mark.parametrize(("path", "value"), WRONG, ids=str)
def test_a_field_that_is_missing_or_wrong_is_named(path: str, value: Any) -> None:
    with pytest.raises(Problem) as raised:
        chat.check(changed(CHAT, path, value))
    assert refused(raised) == NAMED_BELOW.get(path, path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("messages.2.content", "hi"),
        ("messages.2.content.+", {"type": "hologram", "beam": 7}),
        ("messages.3.reasoning_content", "hm"),
        ("messages.3.content", [{"type": "refusal", "refusal": "no"}]),
        ("messages.4.mood", "good"),
        ("messages.+", {"role": "function", "name": "weather", "content": "sunny"}),
        ("max_tokens", 5),
        ("max_tokens", -1),
        ("max_completion_tokens", None),
        ("stop", "END"),
        ("stop", None),
        ("tools.+", {"type": "custom", "custom": {"name": "c"}}),
        ("tools.+", {"type": "live_search"}),
        ("tools.0.function.strict", None),
        ("tool_choice", "required"),
        ("tool_choice", "any"),
        ("tool_choice", {"type": "allowed_tools", "allowed_tools": {}}),
        ("response_format", {"type": "json_object"}),
        ("response_format", {"type": "text"}),
        ("reasoning_effort", "minimal"),
        ("mood", "good"),
    ],
    ids=str,
)
def test_valid_and_unknown_fields_pass(path: str, value: Any) -> None:
    chat.check(changed(CHAT, path, value))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("stream", False, "stream_options"),
        ("stream", MISSING, "stream_options"),
        ("logprobs", MISSING, "top_logprobs"),
        ("tools", MISSING, "tool_choice"),
    ],
)
def test_a_field_that_needs_another_is_named(path: str, value: Any, named: str) -> None:
    with pytest.raises(Problem) as raised:
        chat.check(changed(CHAT, path, value))
    assert refused(raised) == named


def test_an_assistant_message_needs_content_or_a_tool_call() -> None:
    with pytest.raises(Problem) as raised:
        chat.check(changed(CHAT, "messages.3.tool_calls", MISSING))
    assert refused(raised) == "messages.3.content"


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_the_default_choices_need_no_tools(choice: str) -> None:
    chat.check({"model": "m", "messages": [{"role": "user", "content": "hi"}], "tool_choice": choice})
