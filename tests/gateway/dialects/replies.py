"""Replies as events, and the form that the strictest client requires of their streams."""

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from upstreams.events import (
    BlockClosed,
    BlockGrew,
    BlockOpened,
    InputGrew,
    ReplyEnded,
    ReplyEvent,
    ReplyStarted,
    Usage,
    UsageReported,
)
from upstreams.wire.sse import SSEDecoder

STARTED = ReplyStarted("upstream-id", "upstream-model")


def text(*pieces: str) -> list[ReplyEvent]:
    return [BlockOpened({"type": "text", "text": ""}), *map(BlockGrew, pieces), BlockClosed({})]


def thinking(*pieces: str, signature: str = "") -> list[ReplyEvent]:
    fields = {"signature": signature} if signature else {}
    return [
        BlockOpened({"type": "thinking", "thinking": "", "signature": ""}),
        *map(BlockGrew, pieces),
        BlockClosed(fields),
    ]


def call(name: str, input: dict[str, Any], *pieces: str, id: str = "call_1") -> list[ReplyEvent]:
    block = {"type": "tool_use", "id": id, "name": name, "input": {}}
    return [BlockOpened(block), *map(InputGrew, pieces), BlockClosed({"input": input})]


def reply(*blocks: list[ReplyEvent], stop: str | None = "end_turn", usage: Usage | None = None) -> list[ReplyEvent]:
    reported = [UsageReported(usage)] if usage else []
    return [STARTED, *(event for block in blocks for event in block), *reported, ReplyEnded(stop)]


def messages_events(wire: bytes) -> list[dict[str, Any]]:
    """The events of a Messages stream, checked by the rules of the strictest client, whole or broken off."""
    sent = list(SSEDecoder().feed(wire))
    events = [json.loads(sse.data) for sse in sent]
    assert [sse.type for sse in sent] == [event["type"] for event in events]
    assert wire.count(b"\n\n") == len(events) and wire.count(b"\n") == 3 * len(events)
    events = [event for event in events if event["type"] != "ping"]
    open_block, next_index, has_ended = None, 0, False
    for place, event in enumerate(events):
        assert (event["type"] == "message_start") == (place == 0) and not has_ended
        match event["type"]:
            case "content_block_start":
                assert open_block is None and event["index"] == next_index
                open_block, next_index = event["index"], next_index + 1
            case "content_block_delta":
                assert event["index"] == open_block
            case "content_block_stop":
                assert event["index"] == open_block
                open_block = None
            case "message_delta":
                assert open_block is None and {"input_tokens", "output_tokens"} <= set(event["usage"])
                assert events[place + 1]["type"] == "message_stop"
            case "message_stop":
                has_ended = True
            case kind:
                assert kind == "message_start" and {"input_tokens", "output_tokens"} <= set(event["message"]["usage"])
    return events


def chat_chunks(wire: bytes, *, include_usage: bool = False) -> list[dict[str, Any]]:
    """The chunks of a Chat Completions stream, checked by the rules of the strictest client, whole or broken off."""
    sent = [sse.data for sse in SSEDecoder().feed(wire)]
    is_whole = bool(sent) and sent[-1] == "[DONE]"
    chunks = [json.loads(data) for data in (sent[:-1] if is_whole else sent)]
    told = chunks[:-1] if is_whole and include_usage else chunks
    if told != chunks:
        assert chunks[-1]["choices"] == [] and chunks[-1]["usage"]["total_tokens"] >= 0
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) <= 1
    assert all(("usage" in chunk) == include_usage and chunk.get("usage") is None for chunk in told)
    [deltas, reasons] = [[chunk["choices"][0][name] for chunk in told] for name in ("delta", "finish_reason")]
    assert [place for place, delta in enumerate(deltas) if "role" in delta] == [0][: len(deltas)]
    assert [place for place, reason in enumerate(reasons) if reason] == ([len(told) - 1] if is_whole else [])
    opened, arguments = 0, dict[int, str]()
    for piece in (piece for delta in deltas for piece in delta.get("tool_calls", [])):
        assert ("id" in piece) == ("type" in piece) == ("name" in piece["function"]) == (piece["index"] == opened)
        opened = max(opened, piece["index"] + 1)
        assert piece["index"] == opened - 1
        arguments[opened] = arguments.get(opened, "") + piece["function"].get("arguments", "")
    assert not is_whole or all(whole.strip() for whole in arguments.values())
    return chunks


# Letters that have a meaning in JSON or in the stream, or that other cutters of lines take for a line's end.
words = st.text('ab "\\{}<:\n\r\u2028é😀', min_size=1, max_size=8)
_values = st.none() | st.booleans() | st.integers(-9, 9) | words | st.lists(words, max_size=2)
inputs = st.dictionaries(words, _values, max_size=2)
_counts = st.none() | st.integers(0, 10_000)
usages = st.builds(Usage, _counts, _counts, _counts, _counts, _counts)
STOPS = ("end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "eos", None)


def cut(whole: str, place: int) -> list[str]:
    """The string in two pieces, neither of them empty."""
    at = place % max(1, len(whole))
    return [piece for piece in (whole[:at], whole[at:]) if piece]


@st.composite
def _blocks(draw: st.DrawFn, place: int) -> list[ReplyEvent]:
    kind = draw(st.sampled_from(["text", "thinking", "tool_use"]))
    if kind == "tool_use":
        told = draw(inputs)
        pieces = cut(json.dumps(told, ensure_ascii=False), draw(st.integers(0, 50))) if draw(st.booleans()) else []
        return call("f", told, *pieces, id=f"call_{place}")
    # White space alone, around a call, is what our client takes for no text at all.
    pieces = [*draw(st.lists(words, max_size=2)), draw(words) + "."]
    return text(*pieces) if kind == "text" else thinking(*pieces, signature=draw(st.sampled_from(["", "sgn+/="])))


@st.composite
def replies(draw: st.DrawFn) -> list[ReplyEvent]:
    """Well-formed replies with everything that both protocols can express."""
    blocks = [draw(_blocks(place)) for place in range(draw(st.integers(1, 4)))]
    return reply(*blocks, stop=draw(st.sampled_from(STOPS)), usage=draw(usages))


any_events: st.SearchStrategy[list[ReplyEvent]] = st.lists(
    st.just(STARTED)
    | st.sampled_from(
        [
            {"type": "text", "text": ""},
            {"type": "text", "text": "held"},
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": "x"}},
            {"type": "hologram", "beam": 7},
        ]
    ).map(BlockOpened)
    | st.builds(BlockGrew, words)
    | st.builds(InputGrew, words)
    | st.sampled_from([{}, {"signature": "s"}, {"input": {}, "raw_input": "{"}, {"citations": [{}]}]).map(BlockClosed)
    | st.builds(UsageReported, usages)
    | st.builds(ReplyEnded, st.sampled_from(STOPS)),
    max_size=12,
)


def in_two(events: Sequence[ReplyEvent], place: int) -> list[Sequence[ReplyEvent]]:
    at = place % (len(events) + 1)
    return [events[:at], events[at:]]
