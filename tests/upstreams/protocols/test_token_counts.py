"""A count that cannot be one counts as not reported, in both protocols, streamed and whole."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstreams.protocols.reading import Read, endpoint, read_body, read_stream
from upstreams.client.counting import count_in
from upstreams.endpoint import ProtocolName
from upstreams.events import MAX_TOKENS, Usage
from upstreams.protocols.token_counts import read_count

ODD: list[Any] = [
    *(-1, -(2**63), MAX_TOKENS + 1, 2**31, 2**62, 2**63 - 1, 2**63, 2**64, 10**30, 1e25, 1.5, -0.5, True, False),
    *(None, "7", "", [], [7], {}, {"tokens": 7}),
]
odd_values = st.one_of(
    st.sampled_from(ODD),
    st.integers(max_value=-1),
    st.integers(min_value=MAX_TOKENS + 1),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: not value.is_integer()),
    st.text(),
)
each_protocol = pytest.mark.parametrize("protocol", list(ProtocolName))


def read_messages(counts: dict[str, Any], *, is_streamed: bool) -> Read:
    to = endpoint(ProtocolName.ANTHROPIC)
    details = {"output_tokens_details": {"thinking_tokens": counts["thinking"]}}
    cached = {"cache_read_input_tokens": counts["read"], "cache_creation_input_tokens": counts["written"]}
    usage = {"input_tokens": counts["input"], "output_tokens": counts["output"], **cached, **details}
    text = {"type": "text", "text": "Hello"}
    if not is_streamed:
        return read_body(to, json.dumps({"content": [text], "stop_reason": "end_turn", "usage": usage}).encode())
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    return read_stream(to, [f"data: {json.dumps(event)}\n\n".encode() for event in events])


def read_chat(counts: dict[str, Any], *, is_streamed: bool) -> Read:
    to = endpoint(ProtocolName.OPENAI)
    usage = {
        "prompt_tokens": counts["input"],
        "completion_tokens": counts["output"],
        "prompt_tokens_details": {"cached_tokens": counts["read"], "cache_write_tokens": counts["written"]},
        "completion_tokens_details": {"reasoning_tokens": counts["thinking"]},
    }
    field = "delta" if is_streamed else "message"
    choice = {"index": 0, field: {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    reply = json.dumps({"id": "chatcmpl-1", "model": "m", "choices": [choice], "usage": usage}).encode()
    return read_stream(to, [b"data: ", reply, b"\n\ndata: [DONE]\n\n"]) if is_streamed else read_body(to, reply)


READ = {ProtocolName.ANTHROPIC: read_messages, ProtocolName.OPENAI: read_chat}
FIGURES = ("input", "output", "read", "written", "thinking")


@each_protocol
@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
@given(counts=st.fixed_dictionaries(dict.fromkeys(FIGURES, odd_values)))
def test_impossible_counts_are_not_reported(protocol: ProtocolName, is_streamed: bool, counts: dict[str, Any]) -> None:
    read = READ[protocol](counts, is_streamed=is_streamed)
    assert (read.text, read.reason, read.usage) == ("Hello", "end_turn", Usage())


@each_protocol
@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
@given(odd=odd_values)
def test_an_impossible_count_leaves_the_others(protocol: ProtocolName, is_streamed: bool, odd: Any) -> None:
    counts = {"input": 20, "output": odd, "read": 5, "written": odd, "thinking": 3}
    read = READ[protocol](counts, is_streamed=is_streamed)
    uncached = 15 if protocol is ProtocolName.OPENAI else 20
    assert read.usage == Usage(uncached, None, 5, None, 3)


@pytest.mark.parametrize("value", [*ODD, float("nan"), float("inf"), -float("inf")], ids=repr)
def test_only_plausible_whole_numbers_are_counts(value: Any) -> None:
    assert read_count(value) is None


@pytest.mark.parametrize("value", [0, 7, 7.0, MAX_TOKENS])
def test_plausible_whole_numbers_are_counts(value: Any) -> None:
    assert read_count(value) == value and type(read_count(value)) is int


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_an_impossible_count_of_a_prompt_is_none(value: Any) -> None:
    assert count_in(json.dumps({"input_tokens": value}).encode()) is None
