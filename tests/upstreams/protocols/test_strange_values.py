"""Values that strict JSON does not allow. None of them costs the reply."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstreams.protocols import chunks, test_anthropic
from tests.upstreams.protocols.chunks import DONE, ROLE, STOP, call, calls, chunk, says
from tests.upstreams.protocols.reading import Read, endpoint, read_body
from tests.upstreams.protocols.test_anthropic import TEXT, closed, delta, ending, opened, start
from upstreams.endpoint import ProtocolName
from upstreams.wire.tolerant_json import dump, load

HALVES = ("Hi \ud83d", "\ude00 there")


def replay(protocol: ProtocolName, *texts: str, kind: str = "text") -> Read:
    """Streams the texts as text, thinking or the input of a tool call."""
    if protocol is ProtocolName.OPENAI:
        field = {"text": "content", "thinking": "reasoning_content"}.get(kind)
        pieces = [chunk({field: text}) if field else calls(call(text, index=0, id="a", name="f")) for text in texts]
        return chunks.replay(ROLE, *pieces, STOP, DONE)
    fields = {"text": "text", "thinking": "thinking", "input_json": "partial_json"}
    block = {
        "text": TEXT,
        "thinking": {"type": "thinking", "thinking": ""},
        "input_json": {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    }[kind]
    deltas = [delta(f"{kind}_delta", **{fields[kind]: text}) for text in texts]
    return test_anthropic.replay(start(), opened(block), *deltas, closed(), ending(), test_anthropic.STOP)


def mended(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@pytest.mark.parametrize("protocol", ProtocolName)
def test_a_character_may_be_cut_in_two(protocol: ProtocolName) -> None:
    assert replay(protocol, *HALVES).text == "Hi 😀 there"
    assert replay(protocol, *HALVES, kind="thinking").thinking == "Hi 😀 there"
    assert replay(protocol, '{"x": "\ud83d', '\ude00"}', kind="input_json").blocks[0]["input"] == {"x": "😀"}


@pytest.mark.parametrize("protocol", ProtocolName)
@given(st.lists(st.text("a<\ud83d\ude00é", max_size=4), min_size=1))
def test_lone_halves_become_replacement_characters(protocol: ProtocolName, texts: list[str]) -> None:
    read = replay(protocol, "x", *texts)
    assert (read.text, read.kind) == ("x" + mended("".join(texts)), "")


@pytest.mark.parametrize("protocol", ProtocolName)
@given(st.lists(st.text("a\ud83d\ude00", max_size=3), max_size=4))
def test_halves_in_the_input_of_a_call_leave_no_surrogates(protocol: ProtocolName, texts: list[str]) -> None:
    read = replay(protocol, '{"x": "', *texts, '"}', kind="input_json")
    assert read.blocks[0]["input"] == {"x": mended("".join(texts))}


def test_a_value_that_is_not_json_costs_only_itself() -> None:
    odd = '{"id":"c","choices":[{"index":0,"delta":{"content":"lo"},"logprobs":{"p":[-Infinity,NaN,1e999]}}]}'
    assert chunks.replay(ROLE, says("Hel"), f"data: {odd}\n\n", STOP, DONE).text == "Hello"
    odd = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo\t"},"p":NaN}'
    events = [start(), opened(TEXT), delta("text_delta", text="Hel"), f"data: {odd}\n\n", closed(), ending()]
    assert test_anthropic.replay(*events, test_anthropic.STOP).text == "Hello\t"


@pytest.mark.parametrize("odd", [b'"\\ud83d"', b"NaN", b"-Infinity", b"1e999", b'"\xff"', b'"\t"', b"9" * 30])
def test_a_reply_in_one_piece_may_have_strange_values(odd: bytes) -> None:
    body = b'{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}],"odd":%b}' % odd
    assert read_body(endpoint(ProtocolName.OPENAI), body).text == "ok"
    body = b'{"content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","odd":%b}' % odd
    assert read_body(endpoint(ProtocolName.ANTHROPIC), body).text == "ok"


def test_a_half_in_a_reply_in_one_piece_is_replaced() -> None:
    body = rb'{"choices":[{"message":{"content":"a\ud83d b\ud83d\ude00"},"finish_reason":"stop"}]}'
    assert read_body(endpoint(ProtocolName.OPENAI), body).text == "a\ufffd b😀"


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64 + 1, -(10**40), 10**18 + 1])
@pytest.mark.parametrize("protocol", ProtocolName)
def test_integers_in_the_input_of_a_call_stay_what_they_were(protocol: ProtocolName, number: int) -> None:
    value = {"x": [number]}
    assert replay(protocol, json.dumps(value)[:8], json.dumps(value)[8:], kind="input_json").blocks[0]["input"] == value
    assert load(dump(value)) == value


@pytest.mark.parametrize("number", [2**53 + 1, 2**64 + 1])
def test_integers_in_an_input_that_arrives_whole_stay_what_they_were(number: int) -> None:
    value = {"x": number}
    assert chunks.tools(calls(call(value, index=0, id="a", name="f"))) == [("a", "f", value)]
    use = {"type": "tool_use", "id": "a", "name": "f", "input": value}
    read = test_anthropic.replay(start(), opened(use), closed(), ending("tool_use"), test_anthropic.STOP)
    assert read.blocks == [use]
    body = json.dumps({"content": [use], "stop_reason": "tool_use"}).encode()
    assert read_body(endpoint(ProtocolName.ANTHROPIC), body).blocks == [use]


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "9" * 5000, ""])
def test_what_cannot_be_read_is_an_error_of_one_kind(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        load(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_json_is_written_and_read_back(value: Any) -> None:
    assert load(dump({"x": value})) == {"x": value}
