"""Settings made for one model are reduced or left out for another, with a remark for each."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstreams.chat import ChatRequest
from upstreams.endpoint import ProtocolName
from upstreams.fitting import fit
from upstreams.parameters import ModelLimits, check

MESSAGES, CHAT = ProtocolName.ANTHROPIC, ProtocolName.OPENAI
sizes = st.none() | st.integers(1, 50_000)
numbers = st.none() | st.floats(-3, 3) | st.just(math.nan)
settings = st.fixed_dictionaries(
    {
        "max_tokens": sizes,
        "temperature": numbers,
        "top_p": numbers,
        "top_k": st.none() | st.integers(-5, 100),
        "presence_penalty": numbers,
        "frequency_penalty": numbers,
        "stop_sequences": st.lists(st.text(max_size=3), max_size=7).map(tuple),
        "thinking_budget": sizes,
        "thinks_adaptively": st.booleans(),
    }
)
limits = st.builds(ModelLimits, sizes, sizes, st.booleans(), st.booleans())


@given(settings, limits, st.sampled_from(ProtocolName))
def test_fitted_settings_can_be_sent_and_each_change_has_a_remark(
    asked: dict[str, Any], allowed: ModelLimits, protocol: ProtocolName
) -> None:
    request = ChatRequest("m", [], **asked)
    fitted = fit(request, protocol, allowed)
    assert check(fitted, protocol, allowed) == []
    assert (fitted is request) == (not fitted.remarks)
    assert fitted is not request or check(request, protocol, allowed) == []


@pytest.mark.parametrize(
    ("asked", "protocol", "sent", "remark"),
    [
        ({"temperature": 1.5}, MESSAGES, {"temperature": 1}, "Temperature was sent as 1,"),
        ({"stop_sequences": tuple("abcdef")}, CHAT, {"stop_sequences": tuple("abcd")}, "first 4 stop sequences"),
        ({"max_tokens": 9000}, CHAT, {"max_tokens": 8000}, "8,000 tokens"),
        ({"thinking_budget": 8000}, MESSAGES, {"thinking_budget": 4000}, "4,000 tokens"),
        ({"thinks_adaptively": True}, MESSAGES, {"thinks_adaptively": False}, "Adaptive thinking was not"),
        (
            {"thinking_budget": 2000, "max_tokens": 1500},
            MESSAGES,
            {"thinking_budget": None, "thinking_is_off": True},
            "Thinking is off for this answer: 1,500 tokens",
        ),
        ({"temperature": 0.5, "top_p": 0.5}, MESSAGES, {"top_p": None}, "Top-p was not sent."),
        ({"temperature": 0.5, "thinking_budget": 2000}, MESSAGES, {"temperature": None}, "when thinking is on"),
    ],
)
def test_what_does_not_fit_is_reduced_or_left_out(
    asked: dict[str, Any], protocol: ProtocolName, sent: dict[str, Any], remark: str
) -> None:
    allowed = ModelLimits(max_output_tokens=8000, supports_thinking=True)
    fitted = fit(ChatRequest("m", [], **asked), protocol, allowed)
    assert {name: getattr(fitted, name) for name in sent} == sent
    [said] = fitted.remarks
    assert remark in said
