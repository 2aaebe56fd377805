"""Streams in the bytes of both protocols. The reply does not depend on how they are cut."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.upstreams.protocols.reading import Read, bytewise, endpoint, read_stream
from upstreams.endpoint import ProtocolName
from upstreams.events import Usage

STREAMS = sorted((Path(__file__).parent / "wire").glob("*.sse"))

REPLIES = {
    "anthropic-thinking-then-text": ("end_turn", ["thinking", "text"], Usage(25, 30, 12, 0)),
    "anthropic-text-then-tool-crlf": ("tool_use", ["text", "tool_use"], Usage(25, 30, 12, 0)),
    "openai-text-with-usage": ("end_turn", ["text"], Usage(25, 30, 12, None, 9)),
    "openai-reasoning-then-text": ("max_tokens", ["thinking", "text"], Usage(25, 30, 12, None, 9)),
    "openai-think-tags": ("end_turn", ["thinking", "text"], Usage()),
    "openai-tools": ("tool_use", ["tool_use", "tool_use"], Usage(25, 30, 12, None, 9)),
}


def replay(stream: Path, *chunks: bytes) -> Read:
    return read_stream(endpoint(ProtocolName(stream.name.partition("-")[0])), chunks)


@pytest.mark.parametrize("stream", STREAMS, ids=lambda path: path.stem)
def test_a_stream_is_read(stream: Path) -> None:
    read = replay(stream, stream.read_bytes())
    assert (read.reason, [block["type"] for block in read.blocks], read.usage) == REPLIES[stream.stem]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda path: path.stem)
def test_a_reply_reads_the_same_wherever_its_bytes_are_cut(stream: Path) -> None:
    wire = stream.read_bytes()
    whole = replay(stream, wire)
    assert replay(stream, *bytewise(wire)) == whole
    for cut in range(len(wire)):
        assert replay(stream, wire[:cut], wire[cut:]) == whole


@given(st.sampled_from(STREAMS), st.integers(0, 100_000))
def test_an_incomplete_reply_never_counts_as_complete(stream: Path, length: int) -> None:
    wire = stream.read_bytes()
    read, whole = replay(stream, wire[: length % len(wire)]), replay(stream, wire)
    assert read.failure or read.blocks == whole.blocks
    assert not (read.failure and read.ended)
    assert whole.text.startswith(read.text)
