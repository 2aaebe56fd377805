"""Server-sent events do not depend on where their bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstreams.wire.sse import EventTooLarge, ServerSentEvent, SSEDecoder

type Events = list[tuple[str, str]]

ROWS: dict[str, tuple[list[bytes], Events]] = {
    "LF ends lines": ([b"data: a\n\n"], [("message", "a")]),
    "CRLF ends lines": ([b"data: a\r\n\r\n"], [("message", "a")]),
    "CR ends lines": ([b"data: a\r\r"], [("message", "a")]),
    "line ends may be mixed": ([b"data: a\r\n\n"], [("message", "a")]),
    "a CRLF may be cut": (
        [b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n"],
        [("message", "a"), ("message", "b")],
    ),
    "a byte order mark is dropped": ([b"\xef\xbb", b"\xbfdata: a\n\n"], [("message", "a")]),
    "a later byte order mark is text": ([b"data: \xef\xbb\xbfa\n\n"], [("message", "\ufeffa")]),
    "one leading space is dropped": (
        [b"data:a\n\ndata:  a\n\ndata:\ta\n\n"],
        [("message", "a"), ("message", " a"), ("message", "\ta")],
    ),
    "data lines are joined": ([b'data: {"a":\ndata: 1}\n\n'], [("message", '{"a":\n1}')]),
    "data may be empty": ([b"data\n\ndata:\n\n"], [("message", ""), ("message", "")]),
    "two empty data lines are one line end": ([b"data\ndata\n\n"], [("message", "\n")]),
    "a type without data is forgotten": ([b"event: ping\n\ndata: a\n\n"], [("message", "a")]),
    "an event has a type": ([b'event: ping\ndata: {"type":"ping"}\n\n'], [("ping", '{"type":"ping"}')]),
    "comments are no events": ([b":\n\n: keep-alive\n\n"], []),
    "a comment may stand between data lines": ([b"data: a\n: x\ndata: b\n\n"], [("message", "a\nb")]),
    "an event without its blank line is dropped": ([b"data: a\n\ndata: b\n"], [("message", "a")]),
    "a line without its end is dropped": ([b"data: a"], []),
    "retry is no event": ([b"retry: 3000\n\nretry: 3s\ndata: a\n\n"], [("message", "a")]),
    "unknown fields are ignored": ([b"foo: bar\nData: x\ndata: a\n \n\n"], [("message", "a")]),
    "a value may hold colons": ([b"data: a: b\n\n"], [("message", "a: b")]),
    "a character may be cut": ([b"data: \xf0\x9f", b"\x98\x80\n\n"], [("message", "😀")]),
    "damaged bytes are replaced": ([b"data: a\xffb\n\n"], [("message", "a\ufffdb")]),
    "only CR and LF end lines": (
        [b"data: a\xe2\x80\xa8b\xc2\x85c\x0bd\x0ce\n\n"],
        [("message", "a\u2028b\x85c\x0bd\x0ce")],
    ),
    "blank lines may come first": ([b"\n\n\r\ndata: a\n\n"], [("message", "a")]),
    "the last type wins": (
        [b"event: x\nevent: y\ndata: a\n\nevent:\ndata: b\n\n"],
        [("y", "a"), ("message", "b")],
    ),
    "the blank line may come later": (
        [b"data: a\n\ndata: b\n\ndata: c\n", b"\n"],
        [("message", "a"), ("message", "b"), ("message", "c")],
    ),
    "a bare error line is an event": (
        [b'data: a\n\nerror: {"code":500}\n'],
        [("message", "a"), ("error", '{"code":500}')],
    ),
}


def decode(*chunks: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def bytewise(wire: bytes) -> list[bytes]:
    return [wire[i : i + 1] for i in range(len(wire))]


@pytest.mark.parametrize(("chunks", "events"), ROWS.values(), ids=list(ROWS))
def test_a_stream_is_read(chunks: list[bytes], events: Events) -> None:
    wire = b"".join(chunks)
    for cut in (chunks, [wire], bytewise(wire)):
        assert [(event.type, event.data) for event in decode(*cut)] == events


@pytest.mark.parametrize("cut", [lambda wire: [wire], bytewise], ids=["whole", "bytewise"])
def test_an_id_stays_until_it_changes(cut) -> None:
    events = decode(*cut(b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n"))
    assert [(event.data, event.id) for event in events] == [("a", "1"), ("b", "1"), ("c", "")]


@pytest.mark.parametrize("cut", [lambda wire: [wire], bytewise], ids=["whole", "bytewise"])
def test_an_id_with_a_null_character_is_ignored(cut) -> None:
    assert decode(*cut(b"id: 1\0\ndata: a\n\n")) == [ServerSentEvent("message", "a", "")]


def test_the_time_to_wait_before_reconnecting_is_kept() -> None:
    decoder = SSEDecoder()
    assert list(decoder.feed(b"retry: 3000\n\nretry: 3s\n\n")) == []
    assert decoder.retry == 3000


def test_an_event_that_ends_in_cr_does_not_wait_for_lf() -> None:
    decoder = SSEDecoder()
    assert [event.data for event in decoder.feed(b"data: a\r\r")] == ["a"]
    assert [event.data for event in decoder.feed(b"\ndata: b\r\r")] == ["b"]


def test_events_come_with_the_bytes_that_complete_them() -> None:
    decoder = SSEDecoder()
    assert [event.data for event in decoder.feed(b"data: a\n\ndata: b\n\ndata: c\n")] == ["a", "b"]
    assert [event.data for event in decoder.feed(b"\n")] == ["c"]


@pytest.mark.parametrize("size", [1, 65536, 8 * 1024 * 1024])
def test_a_line_without_an_end_is_an_error(size: int) -> None:
    wire = b"data: a\n\ndata: " + b"x" * 600
    decoder, seen = SSEDecoder(max_event_bytes=500), []
    with pytest.raises(EventTooLarge):
        for start in range(0, len(wire), size):
            seen.extend(decoder.feed(wire[start : start + size]))
    assert [event.data for event in seen] == ["a"]


def test_an_event_of_too_many_lines_is_an_error() -> None:
    with pytest.raises(EventTooLarge):
        list(SSEDecoder(max_event_bytes=500).feed(b"data: 12345\n" * 50))


def test_five_mebibytes_without_an_end_are_an_error() -> None:
    decoder = SSEDecoder()
    with pytest.raises(EventTooLarge):
        for _ in range(5 * 1024):
            list(decoder.feed(b"x" * 1024))


lines = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
events = st.lists(st.tuples(lines.filter(bool), st.lists(lines, min_size=1, max_size=3)))


def cut_at(wire: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(wire) + 1) for place in places), len(wire)]
    return [wire[start:end] for start, end in zip(edges, edges[1:], strict=False)]


@given(events, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 10_000)))
def test_encoded_events_are_decoded_wherever_they_are_cut(written, end: str, places: list[int]) -> None:
    text = "".join(
        f"event: {kind}{end}" + "".join(f"data: {line}{end}" for line in data) + end for kind, data in written
    )
    read = decode(*cut_at(text.encode(), places))
    assert [(event.type, event.data) for event in read] == [(kind, "\n".join(data)) for kind, data in written]


@given(
    st.lists(st.sampled_from([b"data", b": ", b":", b"id", b"event", b"\r", b"\n", b"\xef\xbb\xbf", b"\xf0", b"a"])),
    st.lists(st.integers(0, 200)),
)
def test_any_bytes_read_the_same_wherever_they_are_cut(parts: list[bytes], places: list[int]) -> None:
    wire = b"".join(parts)
    assert decode(*cut_at(wire, places)) == decode(wire) == decode(*bytewise(wire))
