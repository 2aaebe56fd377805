"""The bytes of well-formed streamed replies in both protocols."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from upstreams.endpoint import ProtocolName


def is_text(wire: bytes) -> bool:
    """Whether a piece of a stream carries text or thinking. `ModelServer.hold` holds these."""
    return any(mark in wire for mark in (b'"text_delta"', b'"thinking_delta"', b'"content": "', b'"reasoning_content"'))


def reply_wire(
    protocol: ProtocolName,
    pieces: Iterable[str],
    *,
    thinking: Sequence[str] = (),
    stop: str | None = None,
    usage: Mapping[str, int] | None = None,
) -> list[bytes]:
    """The events of a well-formed streamed reply."""
    if protocol is ProtocolName.ANTHROPIC:
        return _messages_wire(pieces, thinking, stop or "end_turn", usage or {})
    return _chat_wire(pieces, thinking, stop or "stop", usage or {})


def messages_event(event: Mapping[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def chat_chunk(delta: Mapping[str, Any] | None = None, finish: str | None = None, **extra: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "model": "test-model", "choices": choices}
    return f"data: {json.dumps({**chunk, **extra})}\n\n".encode()


def _messages_wire(pieces: Iterable[str], thinking: Sequence[str], stop: str, usage: Mapping[str, int]) -> list[bytes]:
    start = {"input_tokens": 7, **usage, "output_tokens": 1}
    message = {"id": "msg_test", "type": "message", "role": "assistant", "model": "test-model", "content": []}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, "usage": start}}]
    blocks = [("thinking", thinking)] if thinking else []
    for index, (kind, texts) in enumerate([*blocks, ("text", list(pieces))]):
        block = {"type": kind, kind: ""}
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        deltas: list[dict[str, Any]] = [{"type": f"{kind}_delta", kind: text} for text in texts]
        if kind == "thinking":
            deltas.append({"type": "signature_delta", "signature": "signed"})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    end = {"output_tokens": usage.get("output_tokens", 5)}
    events.append({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": end})
    return [messages_event(event) for event in [*events, {"type": "message_stop"}]]


def _chat_wire(pieces: Iterable[str], thinking: Sequence[str], stop: str, usage: Mapping[str, int]) -> list[bytes]:
    counts = {
        "prompt_tokens": usage.get("input_tokens", 7),
        "completion_tokens": usage.get("output_tokens", 5),
    }
    return [
        chat_chunk({"role": "assistant"}),
        *(chat_chunk({"reasoning_content": text}) for text in thinking),
        *(chat_chunk({"content": text}) for text in pieces),
        chat_chunk({}, stop),
        chat_chunk(usage=counts),
        b"data: [DONE]\n\n",
    ]
