"""Replies of the Messages API as reply events, streamed and whole."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from upstreams.endpoint import Endpoint
from upstreams.errors import BrokenStream, EmptyReply, NotAModelServer
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
from upstreams.protocols.refusals import find_failure, redact
from upstreams.protocols.token_counts import read_count
from upstreams.protocols.tool_calls import parse_input
from upstreams.reply import CUT_REASONS
from upstreams.wire.nesting import MAX_REPLY_DEPTH, is_too_deep, load_reply
from upstreams.wire.sse import ServerSentEvent
from upstreams.wire.tolerant_json import dump, load, load_piece, restore_long_numbers

_NO_BLOCK: Final = -1
_FRESH_BLOCKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "text_delta": {"type": "text", "text": ""},
    "citations_delta": {"type": "text", "text": ""},
    "thinking_delta": {"type": "thinking", "thinking": "", "signature": ""},
    "signature_delta": {"type": "thinking", "thinking": "", "signature": ""},
    "input_json_delta": {"type": "tool_use", "id": "", "name": "", "input": {}},
}


def read_usage(reported: object) -> Usage:
    """Reads the `usage` object of the Messages API. Figures that are absent or impossible stay unknown."""
    if not isinstance(reported, dict):
        return Usage()
    details = reported.get("output_tokens_details")
    return Usage(
        input_tokens=read_count(reported.get("input_tokens")),
        output_tokens=read_count(reported.get("output_tokens")),
        cache_read_tokens=read_count(reported.get("cache_read_input_tokens")),
        cache_write_tokens=read_count(reported.get("cache_creation_input_tokens")),
        thinking_tokens=read_count(details.get("thinking_tokens")) if isinstance(details, dict) else None,
    )


def read_events(body: bytes, endpoint: Endpoint) -> Iterator[ReplyEvent]:
    """The events of an unstreamed reply. Those before a failure are valid."""
    try:
        message = load_reply(body)
    except orjson.JSONDecodeError:
        message = None
    match message:
        case {"content": list(blocks)} if message.get("type") != "error":
            decoder = MessagesDecoder(endpoint)
            yield from decoder.start(message)
            for index, block in enumerate(blocks):
                if isinstance(block, dict):
                    yield from decoder.close()
                    yield from decoder.open(index, block)
            # Only the last block may be cut.
            decoder.stop = message
            yield from decoder.close()
            yield from decoder.finish()
            return
    detail = redact(body[:4096].decode("utf-8", "replace"), endpoint)
    raise find_failure(endpoint, message) or NotAModelServer.at(endpoint.name, detail=detail)


class MessagesDecoder:
    """Decodes one streamed reply of the Messages API."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.done = self.has_surrogates = False
        self.size = self.image_size = 0
        self.stop: Mapping[str, Any] = {}
        self._endpoint = endpoint
        self._usage = Usage()
        self._index = _NO_BLOCK
        self._type = ""
        self._closing: dict[str, Any] = {}
        self._json: list[str] = []
        self._has_content = self._has_no_input = False

    def feed(self, sse: ServerSentEvent) -> Sequence[ReplyEvent]:
        if self.done:
            return ()
        try:
            event = self._load(sse.data)
            kind = event["type"]
        except (orjson.JSONDecodeError, TypeError, KeyError):
            return self._without_type(sse)
        # Almost every event is of this type, and comparisons are cheaper than patterns.
        if kind == "content_block_delta":
            delta = event.get("delta")
            if isinstance(delta, dict):
                return self._delta(event.get("index", self._index), delta)
            return ()
        if is_too_deep(event, MAX_REPLY_DEPTH):
            raise BrokenStream.at(self._endpoint.name, detail="a block is nested too deeply")
        return self._event(kind, restore_long_numbers(event, sse.data))

    def _load(self, data: str) -> Any:
        """Raises orjson.JSONDecodeError."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            event = load_piece(data)
        if is_too_deep(event, MAX_REPLY_DEPTH):
            raise BrokenStream.at(self._endpoint.name, detail="a block is nested too deeply")
        self.has_surrogates = self.has_surrogates or "\\u" in data
        return event

    def end(self) -> Sequence[ReplyEvent]:
        if self.done:
            return ()
        if self.stop.get("stop_reason") is None:
            raise BrokenStream.at(self._endpoint.name)
        return [*self.close(), *self.finish()]

    def _without_type(self, sse: ServerSentEvent) -> Sequence[ReplyEvent]:
        """Handles data without a type: an error in another shape, a stray [DONE], or damage."""
        if sse.data.strip() in ("[DONE]", ""):
            return ()
        try:
            event = load(sse.data)
        except orjson.JSONDecodeError:
            event = {"error": sse.data} if sse.type == "error" else None
        if failure := find_failure(self._endpoint, event):
            raise failure
        if isinstance(event, dict):
            return ()
        detail = "malformed chunk: " + redact(sse.data[:4096], self._endpoint)
        raise BrokenStream.at(self._endpoint.name, detail=detail)

    def _event(self, kind: str, event: dict[str, Any]) -> Sequence[ReplyEvent]:
        match kind:
            case "content_block_start" if isinstance(block := event.get("content_block"), dict):
                return [*self.close(), *self.open(event.get("index", self._index + 1), block)]
            case "content_block_stop":
                if self._type == "tool_use" and self._has_no_input:
                    # Whether the reply was cut before its input decides what the call is.
                    return ()
                return self.close()
            case "message_start" if isinstance(message := event.get("message"), dict):
                return self.start(message)
            case "message_delta":
                delta = event.get("delta")
                if isinstance(delta, dict):
                    self.stop = {**self.stop, **{name: value for name, value in delta.items() if value is not None}}
                return [*self.close(), *self._report(event.get("usage"))]
            case "message_stop":
                return [*self.close(), *self.finish()]
            case "error":
                error = event.get("error") or event.get("message") or "error"
                failure = find_failure(self._endpoint, {"error": error})
                raise failure or BrokenStream.at(self._endpoint.name)
        return ()

    def start(self, message: Mapping[str, Any]) -> list[ReplyEvent]:
        started = ReplyStarted(id=_text(message.get("id")), model=_text(message.get("model")))
        return [started, *self._report(message.get("usage"))]

    def open(self, index: int, block: Mapping[str, Any]) -> list[ReplyEvent]:
        self._index, self._type, self._json = index, _text(block.get("type")), []
        self._closing = {}
        self._has_no_input = self._type == "tool_use" and not block.get("input")
        content = _text(block.get("text")) if self._type == "text" else _text(block.get("thinking"))
        if self._type not in ("text", "thinking"):
            self._has_content = True
            size = len(dump(block))
            is_image = self._type == "image"
            self.size += 1 if is_image else size
            self.image_size += size if is_image else 0
        elif content:
            self._count_text(content)
        if self._type == "text" and isinstance(block.get("citations"), list):
            self._closing["citations"] = list(block["citations"])
        return [BlockOpened(block)]

    def _delta(self, index: int, delta: dict[str, Any]) -> Sequence[ReplyEvent]:
        kind = delta.get("type", "")
        events: list[ReplyEvent] = []
        if index != self._index:
            if kind not in _FRESH_BLOCKS:
                return ()
            events = [*self.close(), *self.open(index, dict(_FRESH_BLOCKS[kind]))]
        if kind == "text_delta" or kind == "thinking_delta":
            text = delta.get("text" if kind == "text_delta" else "thinking")
            if not text or not isinstance(text, str):
                return events
            self._count_text(text)
            return [*events, BlockGrew(text)] if events else (BlockGrew(text),)
        match delta:
            case {"type": "input_json_delta", "partial_json": str(piece)}:
                self._json.append(piece)
                self._has_no_input = self._has_no_input and not piece.strip()
                self.size += len(piece)
                if piece:
                    return [*events, InputGrew(piece)]
            case {"type": "signature_delta", "signature": str(signature)}:
                self._closing["signature"] = signature
                self.size += len(signature)
            case {"type": "citations_delta", "citation": citation}:
                self._closing.setdefault("citations", []).append(citation)
                self.size += 1
        return events

    def _count_text(self, text: str) -> None:
        self.size += len(text)
        self._has_content = True

    def close(self) -> list[ReplyEvent]:
        if self._index == _NO_BLOCK:
            return []
        closing, pieces = self._closing, "".join(self._json)
        if self._type == "tool_use" and self._has_no_input and self.stop.get("stop_reason") in CUT_REASONS:
            closing["raw_input"] = ""
        self._index, self._closing, self._json = _NO_BLOCK, {}, []
        if pieces.strip():
            closing |= parse_input(pieces)
        return [BlockClosed(closing)]

    def finish(self) -> list[ReplyEvent]:
        """The proper end. A reply without content is a failure, unless the upstream gave a reason for it."""
        self.done = True
        reason = self.stop.get("stop_reason") or None
        if not self._has_content and reason in (None, "end_turn"):
            raise EmptyReply.at(self._endpoint.name)
        details = self.stop.get("stop_details")
        return [
            ReplyEnded(
                stop_reason=reason,
                stop_sequence=self.stop.get("stop_sequence"),
                explanation=_text(details.get("explanation")) if isinstance(details, dict) else "",
            )
        ]

    def _report(self, reported: object) -> list[ReplyEvent]:
        later = self._usage.merge(read_usage(reported))
        if later == self._usage:
            return []
        self._usage = later
        return [UsageReported(later)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
