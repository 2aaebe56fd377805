"""Our own client reads every reply from our own stream without a change."""

from dataclasses import fields
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import DIALECTS, ReplyEncoder
from tests.gateway.dialects.replies import any_events, chat_chunks, in_two, messages_events, replies, reply, text
from tests.upstreams.protocols.reading import Read, endpoint, read_body, read_stream
from upstreams.endpoint import ProtocolName
from upstreams.events import BlockClosed, BlockOpened, ReplyEnded, ReplyEvent, Usage
from upstreams.reply import CUT_REASONS

BOTH = pytest.mark.parametrize("protocol", list(ProtocolName))


def told(events: list[ReplyEvent]) -> Read:
    read = Read()
    for event in events:
        read.take(event)
    return read


def at(protocol: ProtocolName) -> Any:
    return endpoint(protocol, splits_think_tags=False) if protocol is ProtocolName.OPENAI else endpoint(protocol)


def known(usage: Usage) -> Usage:
    """Unreported figures become 0."""
    return Usage(**{figure.name: getattr(usage, figure.name) or 0 for figure in fields(Usage)})


def calls(read: Read) -> list[dict[str, Any]]:
    return [block for block in read.blocks if block["type"] == "tool_use"]


def calls_meant(protocol: ProtocolName, meant: Read, *, is_streamed: bool) -> list[dict[str, Any]]:
    """The calls to read. In a reply that was cut, a last call without input is incomplete.

    A stream of the Messages API says that an input is an empty object, and so does any Chat Completions reply.
    """
    expected = calls(meant)
    if protocol is ProtocolName.ANTHROPIC and not is_streamed and meant.reason in CUT_REASONS:
        last = meant.blocks[-1] if meant.blocks else {}
        if last.get("type") == "tool_use" and not last["input"]:
            return [*expected[:-1], {"raw_input": "", **last}]
    return expected


def same(protocol: ProtocolName, read: Read, meant: Read, *, is_streamed: bool = True) -> None:
    assert read.failure is None
    expected = calls_meant(protocol, meant, is_streamed=is_streamed)
    assert (read.text, read.thinking, calls(read)) == (meant.text, meant.thinking, expected)
    assert known(read.usage) == known(meant.usage)
    reason, has_calls = meant.reason, bool(calls(meant))
    if protocol is ProtocolName.ANTHROPIC:
        others = [block | {"signature": ""} for block in meant.blocks if block["type"] != "tool_use"]
        assert [block | {"signature": ""} for block in read.blocks if block["type"] != "tool_use"] == others
        assert [block["type"] for block in read.blocks] == [block["type"] for block in meant.blocks]
        signatures = [block.get("signature") for block in read.blocks]
        assert signatures == [block.get("signature") for block in meant.blocks]
    else:
        reason = {"stop_sequence": "end_turn", "pause_turn": "end_turn"}.get(reason or "", reason)
        # Chat Completions has one word for both ways in which a reply is cut.
        reason = "max_tokens" if reason in CUT_REASONS else "tool_use" if has_calls else reason
    if reason in ("end_turn", "tool_use", "eos", None):
        reason = "tool_use" if has_calls else "end_turn"
    assert read.reason == reason


@BOTH
@given(replies(), st.integers(0, 99))
def test_a_streamed_reply_is_read_without_a_change(
    protocol: ProtocolName, events: list[ReplyEvent], place: int
) -> None:
    encoder = DIALECTS[protocol].Encoder("m", True)
    chunks = [encoder.feed(batch) for batch in in_two(events, place)]
    same(protocol, read_stream(at(protocol), [chunks[0], encoder.encode_ping(), chunks[1]]), told(events))


@BOTH
@given(replies())
def test_a_reply_in_one_piece_is_read_without_a_change(protocol: ProtocolName, events: list[ReplyEvent]) -> None:
    body = orjson.dumps(DIALECTS[protocol].render_reply(events, "m"))
    same(protocol, read_body(at(protocol), body), told(events), is_streamed=False)


@given(any_events, st.integers(0, 99))
def test_any_events_make_a_valid_messages_stream(events: list[ReplyEvent], place: int) -> None:
    wire = fed(DIALECTS[ProtocolName.ANTHROPIC].Encoder("m"), events, place)
    sent = messages_events(wire)
    assert (bool(sent) and sent[-1]["type"] == "message_stop") == any(isinstance(e, ReplyEnded) for e in events)


@given(any_events, st.integers(0, 99), st.booleans())
def test_any_events_make_a_valid_chat_stream(events: list[ReplyEvent], place: int, include_usage: bool) -> None:
    wire = fed(DIALECTS[ProtocolName.OPENAI].Encoder("m", include_usage), events, place)
    chat_chunks(wire, include_usage=include_usage)
    assert wire.endswith(b"data: [DONE]\n\n") == any(isinstance(event, ReplyEnded) for event in events)


def fed(encoder: ReplyEncoder, events: list[ReplyEvent], place: int) -> bytes:
    return b"".join(encoder.feed(batch) for batch in in_two(events, place))


EMBEDDED = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
ELSEWHERE = {"type": "url", "url": "https://images.example/1.png"}
BEGUN = {"type": "base64", "media_type": "image/png", "data": "iVBO"}


@BOTH
@pytest.mark.parametrize("is_streamed", [True, False])
def test_images_are_read_without_a_change(protocol: ProtocolName, is_streamed: bool) -> None:
    embedded = [BlockOpened({"type": "image", "source": EMBEDDED}), BlockClosed({})]
    elsewhere = [BlockOpened({"type": "image", "source": ELSEWHERE}), BlockClosed({})]
    in_pieces = [BlockOpened({"type": "image", "source": BEGUN}), BlockClosed({"source": EMBEDDED})]
    events = reply(text("Here:"), embedded, elsewhere, in_pieces)
    dialect = DIALECTS[protocol]
    if is_streamed:
        read = read_stream(at(protocol), [dialect.Encoder("m").feed(events)])
    else:
        read = read_body(at(protocol), orjson.dumps(dialect.render_reply(events, "m")))
    sources = [block["source"] for block in read.blocks if block["type"] == "image"]
    assert (read.text, sources) == ("Here:", [EMBEDDED, ELSEWHERE, EMBEDDED])
