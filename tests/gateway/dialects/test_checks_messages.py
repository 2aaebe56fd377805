"""The Messages API: which requests pass, and which field an error names."""

from typing import Any

import pytest

from gateway.dialects import messages
from gateway.problems import Problem
from tests.gateway.dialects.bodies import MESSAGES, MISSING, changed, refused

WRONG: list[tuple[str, Any]] = [
    ("model", MISSING),
    ("model", ""),
    ("model", 7),
    ("model", None),
    ("messages", MISSING),
    ("messages", {}),
    ("messages", []),
    ("messages.0", "hi"),
    ("messages.0.role", MISSING),
    ("messages.0.role", "tool"),
    ("messages.0.content", MISSING),
    ("messages.0.content", None),
    ("messages.0.content", {"type": "text", "text": "hi"}),
    ("messages.2.content.0", "hi"),
    ("messages.2.content.0.type", MISSING),
    ("messages.2.content.0.tool_use_id", MISSING),
    ("messages.2.content.0.content", 7),
    ("messages.2.content.0.is_error", "no"),
    ("messages.2.content.1.source", MISSING),
    ("messages.2.content.1.source.type", MISSING),
    ("messages.2.content.1.source.media_type", MISSING),
    ("messages.2.content.1.source.data", 7),
    ("messages.2.content.2.source.data", MISSING),
    ("messages.2.content.3.text", MISSING),
    ("messages.2.content.3.text", None),
    ("messages.1.content.0.signature", 7),
    ("messages.1.content.0.thinking", MISSING),
    ("messages.1.content.1.data", MISSING),
    ("messages.1.content.3.id", MISSING),
    ("messages.1.content.3.name", MISSING),
    ("messages.1.content.3.input", "{}"),
    ("max_tokens", MISSING),
    ("max_tokens", None),
    ("max_tokens", "many"),
    ("max_tokens", 1.5),
    ("max_tokens", True),
    ("max_tokens", -1),
    ("system", 7),
    ("system.0.type", "image"),
    ("system.0.text", MISSING),
    ("temperature", 1.1),
    ("temperature", "hot"),
    ("temperature", True),
    ("top_p", -0.1),
    ("top_k", 1.5),
    ("top_k", -1),
    ("stream", "yes"),
    ("stop_sequences", "END"),
    ("stop_sequences.0", 7),
    ("stop_sequences.0", " \n"),
    ("tools", {}),
    ("tools.0", "weather"),
    ("tools.0.name", MISSING),
    ("tools.0.name", "the weather"),
    ("tools.0.name", "w" * 129),
    ("tools.0.description", 7),
    ("tools.0.input_schema", MISSING),
    ("tools.0.input_schema.type", MISSING),
    ("tools.0.input_schema.type", "array"),
    ("tools.0.strict", 1),
    ("tools.0.type", ""),
    ("tool_choice", "auto"),
    ("tool_choice", {"type": "tool", "name": "other"}),
    ("tool_choice.type", MISSING),
    ("tool_choice.type", "required"),
    ("tool_choice.disable_parallel_tool_use", "yes"),
    ("thinking", "on"),
    ("thinking.type", "always"),
    ("thinking.budget_tokens", MISSING),
    ("thinking.budget_tokens", 1023),
    ("metadata", "u"),
    ("metadata.user_id", 7),
    ("output_config", "low"),
    ("output_config.effort", "minimal"),
    ("output_config.format.type", "json_object"),
    ("output_config.format.schema", MISSING),
    ("service_tier", "flex"),
    ("cache_control.ttl", "5h"),
]
NAMED_ELSEWHERE = {"tool_choice": {"tool_choice", "tool_choice.name"}}


@pytest.mark.parametrize(("path", "value"), WRONG, ids=str)
def test_a_field_that_is_missing_or_wrong_is_named(path: str, value: Any) -> None:
    with pytest.raises(Problem) as raised:
        messages.check(changed(MESSAGES, path, value))
    assert refused(raised) in NAMED_ELSEWHERE.get(path, {path})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("messages.0.content", "hi"),
        ("messages.0.content", [{"type": "hologram", "beam": 7}]),
        ("messages.2.content.1.source", {"type": "url", "url": "https://example.org/a.png"}),
        ("messages.2.content.1.source", {"type": "file", "file_id": "f"}),
        ("messages.2.content.1.source", {"type": "orbit", "height": 7}),
        ("messages.1.content.+", {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        ("messages.1.content.+", {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
        ("messages.+", {"role": "system", "content": "From now on in French."}),
        ("messages.0.mood", "good"),
        ("messages.1.content.0.signature", MISSING),
        ("tools.+", {"name": "w" * 128, "input_schema": {"type": "object"}}),
        ("system", "Be kind."),
        ("system", None),
        ("temperature", None),
        ("tools.+", {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}),
        ("tools.0.type", "custom"),
        ("tool_choice", {"type": "tool", "name": "weather"}),
        ("thinking", {"type": "adaptive", "display": "omitted"}),
        ("thinking", {"type": "disabled"}),
        ("thinking", {"type": "between_tools"}),
        ("metadata.user_id", None),
        ("mood", "good"),
    ],
    ids=str,
)
def test_valid_and_unknown_fields_pass(path: str, value: Any) -> None:
    messages.check(changed(MESSAGES, path, value))


def test_a_cache_may_be_warmed_up_without_a_reply() -> None:
    messages.check({"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 0})


@pytest.mark.parametrize(
    ("place", "block"),
    [
        (0, {"type": "tool_use", "id": "a", "name": "f", "input": {}}),
        (0, {"type": "thinking", "thinking": "hm", "signature": "s"}),
        (1, {"type": "tool_result", "tool_use_id": "a"}),
    ],
)
def test_a_block_must_match_the_role_of_its_message(place: int, block: dict[str, Any]) -> None:
    with pytest.raises(Problem) as raised:
        messages.check(changed(MESSAGES, f"messages.{place}.content", [block]))
    assert refused(raised) == f"messages.{place}.content.0.type"


def test_tools_have_names_of_their_own() -> None:
    with pytest.raises(Problem) as raised:
        messages.check(changed(MESSAGES, "tools.+", MESSAGES["tools"][0]))
    assert refused(raised) == "tools.1.name"


def test_a_choice_needs_tools() -> None:
    with pytest.raises(Problem) as raised:
        messages.check(changed(MESSAGES, "tools", MISSING))
    assert refused(raised) == "tool_choice"


def test_a_count_needs_no_output_limit_and_minds_no_sampling() -> None:
    messages.check_count({"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 7})


@pytest.mark.parametrize("path", ["model", "messages", "messages.0.role", "tools.0.name", "thinking.budget_tokens"])
def test_a_count_names_a_missing_field(path: str) -> None:
    with pytest.raises(Problem) as raised:
        messages.check_count(changed(MESSAGES, path, MISSING))
    assert refused(raised) == path
