"""Text is read without decoding only if decoding would give the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.passing.verbatim import make_copier
from tests.wires import chat_chunk, messages_event
from upstreams.endpoint import ProtocolName
from upstreams.wire.delta_template import DeltaTemplate
from upstreams.wire.sse import SSEDecoder

MODEL = "asked-for"


def arrives(protocol: ProtocolName, text: str) -> bytes:
    if protocol is ProtocolName.OPENAI:
        return chat_chunk({"content": text})
    return messages_event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def copied(protocol: ProtocolName, *events: bytes) -> bytes:
    """The copy that decoding gives."""
    copying = make_copier(protocol, MODEL, wants_usage=False)
    return b"".join(copying.copy(sse) for sse in SSEDecoder().feed(b"".join(events)))


def template(protocol: ProtocolName) -> DeltaTemplate:
    event = arrives(protocol, "Hel")
    found = DeltaTemplate.of(event, "Hel", copied(protocol, event))
    assert found
    return found


each_protocol = pytest.mark.parametrize("protocol", list(ProtocolName))


@each_protocol
@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.booleans())
def test_the_short_way_gives_what_the_long_one_does(protocol: ProtocolName, texts: list[str], ascii: bool) -> None:
    events = [arrives(protocol, text) for text in texts]
    if not ascii:
        events = [
            event.replace(json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
            for event, text in zip(events, texts, strict=True)
        ]
    passed = template(protocol).read(b"".join(events))
    assert passed is None or passed == ("".join(texts), copied(protocol, *events))


@each_protocol
def test_plain_text_goes_the_short_way(protocol: ProtocolName) -> None:
    events = arrives(protocol, "lo, ") + arrives(protocol, "Ada!")
    assert template(protocol).read(events) == ("lo, Ada!", copied(protocol, events))


@each_protocol
def test_what_is_not_whole_goes_the_long_way(protocol: ProtocolName) -> None:
    events = arrives(protocol, "lo") + arrives(protocol, "Ada")
    for cut in range(1, len(events)):
        for part in (events[:cut], events[cut:]):
            passed = template(protocol).read(part)
            assert passed is None or part in (arrives(protocol, "lo"), arrives(protocol, "Ada"))


@each_protocol
@pytest.mark.parametrize("other", [b": ping\n\n", b"event: error\ndata: {}\n\n", b"data: [DONE]\n\n", b"\n\n", b""])
def test_other_events_go_the_long_way(protocol: ProtocolName, other: bytes) -> None:
    assert template(protocol).read(other) is None
    assert not other or template(protocol).read(arrives(protocol, "lo") + other) is None


@each_protocol
@pytest.mark.parametrize("text", ["", "0", 'a"b', "index", "é\u2028"])
def test_a_text_that_has_no_certain_place_gives_no_template(protocol: ProtocolName, text: str) -> None:
    event = arrives(protocol, text)
    found = DeltaTemplate.of(event, text, copied(protocol, event))
    assert found is None or found.read(arrives(protocol, "lo")) == ("lo", copied(protocol, arrives(protocol, "lo")))
