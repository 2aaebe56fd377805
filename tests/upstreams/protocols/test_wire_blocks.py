"""Every kind of block in both protocols: it reads the same streamed and whole, and goes back as it came."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.upstreams.protocols.reading import Read, bytewise, endpoint, read_body, read_stream
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.protocols import PROTOCOLS

WIRE = Path(__file__).parent / "wire"
STREAMS = sorted((WIRE / "blocks").glob("*.sse"))
FROM_MESSAGES = [stream for stream in STREAMS if stream.stem.startswith("anthropic-")]
FROM_CHAT = [stream for stream in STREAMS if stream.stem.startswith("openai-")]
REQUESTS = sorted((WIRE / "requests").glob("*.json"))

KINDS = {
    "anthropic-citations": ["text", "text", "text"],
    "anthropic-parallel-tools": ["tool_use", "tool_use", "tool_use"],
    "anthropic-redacted-thinking": ["thinking", "redacted_thinking", "text", "tool_use"],
    "anthropic-server-tools": ["text", "server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "text"],
    "anthropic-thinking": ["thinking", "thinking", "text"],
    "anthropic-unknown": ["container_upload", "hologram", "text"],
    "openai-parallel-tools": ["text", "tool_use", "tool_use", "tool_use"],
    "openai-reasoning": ["thinking", "text"],
    "openai-reasoning-content": ["thinking", "text"],
    "openai-reasoning-details": ["thinking", "text"],
    "openai-reasoning-parts": ["thinking", "text"],
    "openai-refusal": ["text"],
    "openai-text": ["text"],
}


def to(stream: Path) -> Endpoint:
    return endpoint(ProtocolName(stream.stem.partition("-")[0]), caches_prompts=False)


def whole(stream: Path) -> dict[str, Any]:
    """The same reply, unstreamed."""
    body: dict[str, Any] = json.loads(stream.with_suffix(".json").read_text())
    return body


def sent(to: Endpoint, messages: list[ChatMessage]) -> Any:
    """The messages of a request as JSON bytes."""
    return PROTOCOLS[to.protocol].payload(ChatRequest("m", messages), to)["messages"]


def as_bytes(value: object) -> bytes:
    return orjson.dumps(value)


def after(read: Read) -> list[ChatMessage]:
    """The next turn, with a result for each call."""
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "Done."}
        for block in read.blocks
        if block["type"] == "tool_use"
    ]
    following = [*results, {"type": "text", "text": "And?"}]
    return [
        ChatMessage("user", [{"type": "text", "text": "Well?"}]),
        ChatMessage("assistant", read.blocks),
        ChatMessage("user", following),
    ]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda path: path.stem)
def test_a_reply_reads_the_same_streamed_and_whole(stream: Path) -> None:
    wire = stream.read_bytes()
    streamed, cut = read_stream(to(stream), [wire]), read_stream(to(stream), bytewise(wire))
    at_once = read_body(to(stream), stream.with_suffix(".json").read_bytes())
    assert [block["type"] for block in streamed.blocks] == KINDS[stream.stem]
    for read in (cut, at_once):
        assert as_bytes(read.blocks) == as_bytes(streamed.blocks)
        assert (read.ended, read.usage) == (streamed.ended, streamed.usage)


@pytest.mark.parametrize("stream", FROM_MESSAGES, ids=lambda path: path.stem)
def test_replies_of_the_messages_api_go_back_byte_for_byte(stream: Path) -> None:
    read = read_stream(to(stream), [stream.read_bytes()])
    assert as_bytes(sent(to(stream), after(read))[1]["content"]) == as_bytes(whole(stream)["content"])


@pytest.mark.parametrize("stream", FROM_CHAT, ids=lambda path: path.stem)
def test_replies_of_chat_completions_go_back_without_thinking(stream: Path) -> None:
    read = read_stream(to(stream), [stream.read_bytes()])
    message = whole(stream)["choices"][0]["message"]
    said = message.get("refusal") or message["content"]
    if isinstance(said, list):
        said = "".join(part.get("text", "") for part in said)
    expected = {"role": "assistant", "content": said}
    if calls := message.get("tool_calls"):
        expected["tool_calls"] = calls
    assert as_bytes(sent(to(stream), after(read))[1]) == as_bytes(expected)


@pytest.mark.parametrize("protocol", list(ProtocolName))
@pytest.mark.parametrize("request_file", REQUESTS, ids=lambda path: path.stem)
def test_a_conversation_can_be_sent_in_either_protocol(request_file: Path, protocol: ProtocolName) -> None:
    case = json.loads(request_file.read_text())
    said = [ChatMessage(message["role"], message["blocks"]) for message in case["said"]]
    asked = sent(endpoint(protocol, caches_prompts=False), said)
    assert as_bytes(asked) == as_bytes(case[protocol.value])


def test_every_recording_is_complete_and_used() -> None:
    assert Counter(stream.stem for stream in STREAMS) == Counter(KINDS.keys())
    assert {path.stem for path in (WIRE / "blocks").glob("*.json")} == set(KINDS)
