"""Pieces of text that are passed on without being decoded are those that need no decoding."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.passing.delta_template import Shape
from gateway.passing.verbatim import relay
from tests.wires import chat_chunk, messages_event
from upstreams.endpoint import ProtocolName
from upstreams.sse import SSEDecoder

MODEL = "asked-for"


def came(protocol: ProtocolName, text: str) -> bytes:
    if protocol is ProtocolName.OPENAI:
        return chat_chunk({"content": text})
    return messages_event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def told(protocol: ProtocolName, *events: bytes) -> bytes:
    """The long way."""
    passing = relay(protocol, MODEL, wants_usage=False)
    return "".join(passing.wire(sse) for sse in SSEDecoder().feed(b"".join(events))).encode()


def shape(protocol: ProtocolName) -> Shape:
    event = came(protocol, "Hel")
    found = Shape.of(event, told(protocol, event), "Hel")
    assert found
    return found


each_protocol = pytest.mark.parametrize("protocol", list(ProtocolName))


@each_protocol
@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.booleans())
def test_the_short_way_tells_what_the_long_one_does(protocol: ProtocolName, texts: list[str], ascii: bool) -> None:
    events = [came(protocol, text) for text in texts]
    if not ascii:
        events = [
            event.replace(json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
            for event, text in zip(events, texts, strict=True)
        ]
    passed = shape(protocol).passed(b"".join(events))
    assert passed is None or passed == (told(protocol, *events), "".join(texts))


@each_protocol
def test_plain_text_goes_the_short_way(protocol: ProtocolName) -> None:
    events = came(protocol, "lo, ") + came(protocol, "Ada!")
    assert shape(protocol).passed(events) == (told(protocol, events), "lo, Ada!")


@each_protocol
def test_what_is_not_whole_goes_the_long_way(protocol: ProtocolName) -> None:
    events = came(protocol, "lo") + came(protocol, "Ada")
    for cut in range(1, len(events)):
        for part in (events[:cut], events[cut:]):
            passed = shape(protocol).passed(part)
            assert passed is None or part in (came(protocol, "lo"), came(protocol, "Ada"))


@each_protocol
@pytest.mark.parametrize("other", [b": ping\n\n", b"event: error\ndata: {}\n\n", b"data: [DONE]\n\n", b"\n\n", b""])
def test_other_events_go_the_long_way(protocol: ProtocolName, other: bytes) -> None:
    assert shape(protocol).passed(other) is None
    assert not other or shape(protocol).passed(came(protocol, "lo") + other) is None


@each_protocol
@pytest.mark.parametrize("text", ["", "0", 'a"b', "index", "é\u2028"])
def test_a_text_that_shows_no_gap_gives_no_shape(protocol: ProtocolName, text: str) -> None:
    event = came(protocol, text)
    found = Shape.of(event, told(protocol, event), text)
    assert found is None or found.passed(came(protocol, "lo")) == (told(protocol, came(protocol, "lo")), "lo")
