"""Reply events as a stream of the Messages API."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.dialects.blocks import input_text
from gateway.ids import make_id, make_tool_id
from gateway.problems import Problem
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
from upstreams.reply import TAGS
from upstreams.wire.tolerant_json import dump

STOP_REASONS: Final = (
    "max_tokens",
    "stop_sequence",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
    "compaction",
)
"""Reasons that are passed on unchanged. All others become tool_use or end_turn."""
_PING: Final = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA: Final = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b_delta","%b":'
)
_TEXT: Final[Mapping[str, Any]] = {"type": "text", "text": ""}


class MessagesEncoder:
    """Writes one reply. Clients refuse gaps in the indexes of blocks, and two open blocks at once."""

    def __init__(self, model: str, include_usage: bool = False) -> None:
        """`include_usage` has no effect: this protocol always includes the usage."""
        self.id = make_id("msg_")
        self._model = model
        self._usage = Usage()
        self._is_started = self._is_ended = self._has_calls = False
        self._index = -1
        self._block: Mapping[str, Any] | None = None
        self._grown: bytes | None = None
        self._has_input = False

    def feed(self, events: Sequence[ReplyEvent]) -> bytes:
        # Almost every batch is one piece of text for the open block.
        if len(events) == 1 and self._grown and isinstance(event := events[0], BlockGrew):
            return self._grow(event.text)
        written = [self._event(event) for event in events if not self._is_ended]
        if written and not self._is_started:
            written.append(self._start())
        return b"".join(written)

    def encode_ping(self) -> bytes:
        return _PING

    def encode_failure(self, problem: Problem, request_id: str) -> bytes:
        """The last event of a stream that breaks off."""
        return _wire(error_event(problem, request_id))

    def _event(self, event: ReplyEvent) -> bytes:
        match event:
            case BlockGrew(text):
                return self._grow(text)
            case UsageReported(usage):
                self._usage = self._usage.merge(usage)
            case InputGrew(text):
                return self._grow_input(text)
            case BlockOpened(block):
                return self._start() + self._close({}) + self._open(block)
            case BlockClosed(fields):
                return self._close(fields)
            case ReplyEnded():
                return self._start() + self._close({}) + self._end(event)
            case ReplyStarted():
                pass
        return b""

    def _start(self) -> bytes:
        """Writes the first event, once: it waits for the usage that the upstream reports at the beginning."""
        if self._is_started:
            return b""
        self._is_started = True
        message: dict[str, Any] = {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_object(self._usage),
        }
        return _wire({"type": "message_start", "message": message})

    def _open(self, block: Mapping[str, Any]) -> bytes:
        self._index += 1
        self._block, self._has_input = block, False
        kind = block.get("type", "")
        self._has_calls = self._has_calls or kind == "tool_use"
        if kind == "image":
            # No delta could add what is known only at its end.
            self._grown = None
            return b""
        # The beginning of almost every event is made once for each block.
        self._grown = _DELTA % (self._index, kind.encode(), kind.encode()) if kind in ("text", "thinking") else None
        held = block.get(kind) if self._grown else None
        return self._begin(_strip_content(block)) + (self._grow(held) if isinstance(held, str) and held else b"")

    def _begin(self, block: Mapping[str, Any]) -> bytes:
        return _wire({"type": "content_block_start", "index": self._index, "content_block": block})

    def _grow(self, text: str) -> bytes:
        if self._block is None:
            return self._start() + self._open(_TEXT) + self._grow(text)
        return self._grown + dump(text) + b"}}\n\n" if self._grown else b""

    def _grow_input(self, text: str) -> bytes:
        if self._block is None or "input" not in self._block:
            return b""
        self._has_input = self._has_input or not text.isspace()
        return self._last_delta({"type": "input_json_delta", "partial_json": text})

    def _close(self, fields: Mapping[str, Any]) -> bytes:
        """Closes the open block, with the `fields` that are known only now."""
        if self._block is None:
            return b""
        block = {**self._block, **fields}
        written = b""
        if "input" in self._block and not self._has_input:
            written = self._last_delta({"type": "input_json_delta", "partial_json": input_text(block)})
        elif block.get("type") == "thinking" and block.get("signature"):
            written = self._last_delta({"type": "signature_delta", "signature": block["signature"]})
        elif block.get("type") == "image":
            written = self._begin(block)
        elif block.get("type") == "text":
            citations = block.get("citations") or []
            written = b"".join(self._last_delta({"type": "citations_delta", "citation": each}) for each in citations)
        self._block = self._grown = None
        return written + _wire({"type": "content_block_stop", "index": self._index})

    def _last_delta(self, delta: Mapping[str, Any]) -> bytes:
        return _wire({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _end(self, end: ReplyEnded) -> bytes:
        self._is_ended = True
        delta = stop_fields(end, has_calls=self._has_calls)
        return _wire({"type": "message_delta", "delta": delta, "usage": usage_object(self._usage)}) + _STOP


def stop_fields(end: ReplyEnded, *, has_calls: bool) -> dict[str, Any]:
    """Why the reply ended, in values that every client knows."""
    reason = end.stop_reason if end.stop_reason in STOP_REASONS else "tool_use" if has_calls else "end_turn"
    fields: dict[str, Any] = {"stop_reason": reason, "stop_sequence": end.stop_sequence}
    if reason == "refusal":
        fields["stop_details"] = {"type": "refusal", "category": None, "explanation": end.explanation or None}
    return fields


def usage_object(usage: Usage) -> dict[str, Any]:
    """The usage. Clients need every figure, so unknown ones are 0."""
    figures: dict[str, Any] = {
        "input_tokens": usage.input_tokens or 0,
        "cache_creation_input_tokens": usage.cache_write_tokens or 0,
        "cache_read_input_tokens": usage.cache_read_tokens or 0,
        "output_tokens": usage.output_tokens or 0,
    }
    if usage.thinking_tokens is not None:
        figures["output_tokens_details"] = {"thinking_tokens": usage.thinking_tokens}
    return figures


def error_event(problem: Problem, request_id: str) -> dict[str, Any]:
    return {
        "type": "error",
        "error": {"type": problem.kind, "message": problem.message},
        "request_id": request_id,
    }


def _strip_content(block: Mapping[str, Any]) -> dict[str, Any]:
    """A block without its content, which follows in deltas."""
    match block.get("type"):
        case "text":
            return {name: value for name, value in block.items() if name != "citations"} | {"text": ""}
        case "thinking":
            opened = {name: value for name, value in block.items() if name != TAGS}
            return {**opened, "thinking": "", "signature": ""}
        case "tool_use":
            return {**block, "id": make_tool_id(str(block.get("id", ""))), "input": {}}
    return {**block, "input": {}} if "input" in block else dict(block)


def _wire(event: Mapping[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), dump(event))
