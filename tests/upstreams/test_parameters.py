"""Settings are checked before a request, and violations name their field."""

from typing import Any

import pytest

from upstreams.chat import ChatRequest
from upstreams.endpoint import ProtocolName
from upstreams.parameters import ModelLimits, Violation, check

THINKS = ModelLimits(context_window=200_000, max_output_tokens=8192, supports_thinking=True)


def problems(protocol: str, limits: ModelLimits = THINKS, **settings: Any) -> list[Violation]:
    return check(ChatRequest("m", [], **settings), ProtocolName(protocol), limits)


def fields(protocol: str, **settings: Any) -> list[str]:
    return [problem.field for problem in problems(protocol, **settings)]


@pytest.mark.parametrize("protocol", list(ProtocolName))
@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("temperature", [0, 0.7, 1], [-0.1, 2.1, float("nan"), float("inf")]),
        ("top_p", [0, 0.5, 1], [-0.1, 1.1]),
        ("top_k", [0, 40], [-1]),
        ("max_tokens", [1, 8192], [0, -1, 8193]),
        ("stop_sequences", [(), ("END", " x ")], [("",), ("END", " \n")]),
        ("thinking_budget", [1024, 8191], [1023, 0, 8192]),
    ],
)
def test_settings_have_ranges(protocol: str, field: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert fields(protocol, **{field: value}) == [], value
    for value in bad:
        assert fields(protocol, **{field: value}) == [field], value


def test_the_message_names_the_field_and_its_range() -> None:
    [problem] = problems("anthropic", temperature=1.5)
    assert problem == Violation("temperature", "Temperature must be between 0 and 1 for this model.")
    [problem] = problems("openai", presence_penalty=3)
    assert problem.message == "Presence penalty must be between −2 and 2 for this model."


def test_the_maximum_temperature_depends_on_the_protocol() -> None:
    assert fields("openai", temperature=1.5) == []
    assert fields("anthropic", temperature=1.5) == ["temperature"]


@pytest.mark.parametrize("field", ["presence_penalty", "frequency_penalty"])
def test_penalties_have_ranges_in_protocols_that_support_them(field: str) -> None:
    assert [fields("openai", **{field: value}) for value in (-2, 0, 2)] == [[], [], []]
    assert [fields("openai", **{field: value}) for value in (-2.1, 2.1)] == [[field], [field]]
    assert fields("anthropic", **{field: 9}) == []


def test_only_chat_completions_limits_the_number_of_stop_sequences() -> None:
    assert fields("openai", stop_sequences=tuple("abcde")) == ["stop_sequences"]
    assert fields("openai", stop_sequences=tuple("abcd")) == []
    assert fields("anthropic", stop_sequences=tuple("abcde")) == []


def test_the_messages_api_accepts_temperature_or_top_p() -> None:
    assert fields("anthropic", temperature=0.5, top_p=0.5) == ["top_p"]
    assert fields("openai", temperature=0.5, top_p=0.5) == []


def test_unknown_limits_allow_every_setting() -> None:
    assert problems("openai", ModelLimits(), max_tokens=10**9) == []


def test_the_output_limit_fits_into_the_context_window() -> None:
    assert [p.field for p in problems("openai", ModelLimits(context_window=4096), max_tokens=4097)] == ["max_tokens"]


def test_a_model_without_thinking_accepts_no_thinking() -> None:
    [problem] = problems("anthropic", ModelLimits(), thinking_budget=2048)
    assert problem == Violation("thinking_budget", "This model does not support thinking.")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (ModelLimits(thinks_adaptively=True), None),
        (ModelLimits(supports_thinking=True), "Set a thinking budget"),
        (ModelLimits(), "Turn thinking off"),
    ],
)
def test_adaptive_thinking_needs_a_model_that_supports_it(limits: ModelLimits, words: str | None) -> None:
    told = problems("anthropic", limits, thinks_adaptively=True)
    assert [problem.field for problem in told] == (["thinks_adaptively"] if words else [])
    assert all(words and words in problem.message for problem in told)
    # Chat Completions requests leave it out, which is not a violation.
    assert problems("openai", limits, thinks_adaptively=True) == []


def test_a_model_with_adaptive_thinking_alone_accepts_no_budget() -> None:
    [problem] = problems("anthropic", ModelLimits(thinks_adaptively=True), thinking_budget=2048)
    assert problem == Violation(
        "thinking_budget", "This model does not support a thinking budget. Choose adaptive thinking instead."
    )


def test_adaptive_thinking_restricts_sampling_too() -> None:
    limits = ModelLimits(thinks_adaptively=True)
    told = problems("anthropic", limits, thinks_adaptively=True, temperature=0.5, top_k=3)
    assert [problem.field for problem in told] == ["temperature", "top_k"]


def test_the_thinking_budget_is_below_the_output_limit() -> None:
    [problem] = problems("anthropic", thinking_budget=2048, max_tokens=2048)
    assert problem.message == "The thinking budget must be less than the maximum answer length of 2,048 tokens."
    assert problems("anthropic", thinking_budget=2048, max_tokens=2049) == []


@pytest.mark.parametrize(
    ("wanted", "field"),
    [({"temperature": 0.5}, "temperature"), ({"top_p": 0.9}, "top_p"), ({"top_k": 5}, "top_k")],
)
def test_thinking_restricts_sampling_in_the_messages_api(wanted: dict[str, Any], field: str) -> None:
    assert fields("anthropic", thinking_budget=2048, **wanted) == [field]
    assert fields("openai", thinking_budget=2048, **wanted) == []
    assert fields("anthropic", **wanted) == []


@pytest.mark.parametrize("wanted", [{"temperature": 1}, {"top_p": 0.95}, {"top_p": 1}])
def test_settings_that_thinking_allows_are_valid(wanted: dict[str, Any]) -> None:
    assert fields("anthropic", thinking_budget=2048, **wanted) == []
