"""Reply events as a stream of the Chat Completions API."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.dialects.blocks import image_entry, input_text
from gateway.ids import make_id
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
from upstreams.wire.tolerant_json import dump

_PING: Final = b": ping\n\n"
_DONE: Final = b"data: [DONE]\n\n"
_TEXT: Final[Mapping[str, Any]] = {"type": "text", "text": ""}
_GROWING: Final[Mapping[str, bytes]] = {"text": b'{"content":', "thinking": b'{"reasoning_content":'}
_FINISH_REASONS: Final[Mapping[str | None, str]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_ERRORS: Final[Mapping[str, tuple[str, str | None]]] = {
    "invalid_request_error": ("invalid_request_error", None),
    "authentication_error": ("invalid_request_error", "invalid_api_key"),
    "permission_error": ("permission_error", None),
    "not_found_error": ("invalid_request_error", None),
    "request_too_large": ("invalid_request_error", None),
    "rate_limit_error": ("requests", "rate_limit_exceeded"),
    "billing_error": ("insufficient_quota", "insufficient_quota"),
    "overloaded_error": ("overloaded", "overloaded"),
    "timeout_error": ("server_error", "timeout"),
}


class ChatEncoder:
    """Writes one reply. Clients join roles, ids and names, so each is written once."""

    def __init__(self, model: str, include_usage: bool = False) -> None:
        """`include_usage` adds a chunk with the usage, and a null usage to all others."""
        self.id = make_id("chatcmpl-")
        self._envelope = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        # The beginning and the end of every chunk are made once.
        self._head = b"data: " + dump(self._envelope)[:-1] + b',"choices":[{"index":0,"delta":'
        self._end_of_chunk = b"}]" + (b',"usage":null' if include_usage else b"") + b"}\n\n"
        self._tail = b'},"finish_reason":null' + self._end_of_chunk
        self._includes_usage = include_usage
        self._usage = Usage()
        self._is_started = self._is_ended = self._has_input = False
        self._block: Mapping[str, Any] | None = None
        self._grown: bytes | None = None
        self._calls = self._images = 0

    def feed(self, events: Sequence[ReplyEvent]) -> bytes:
        # Almost every batch is one piece of text for the open block.
        if len(events) == 1 and self._grown and isinstance(event := events[0], BlockGrew):
            return self._grow(event.text)
        return b"".join([self._event(event) for event in events if not self._is_ended])

    def encode_ping(self) -> bytes:
        return _PING

    def encode_failure(self, problem: Problem, request_id: str) -> bytes:
        """The last event of a stream that breaks off."""
        return b"data: " + dump(error_object(problem)) + b"\n\n"

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
                return self._start()
        return b""

    def _start(self) -> bytes:
        if self._is_started:
            return b""
        self._is_started = True
        return self._chunk({"role": "assistant", "content": None})

    def _open(self, block: Mapping[str, Any]) -> bytes:
        """Leaves out kinds that this protocol lacks, such as tools that the server ran itself."""
        kind = block.get("type", "")
        self._block, self._has_input, self._grown = block, False, _GROWING.get(kind)
        if kind == "tool_use":
            self._calls += 1
            function = {"name": block.get("name", ""), "arguments": ""}
            return self._tool_delta({"id": block.get("id", ""), "type": "function", "function": function})
        held = block.get(kind) if self._grown else None
        return self._grow(held) if isinstance(held, str) and held else b""

    def _grow(self, text: str) -> bytes:
        if self._block is None:
            return self._start() + self._open(_TEXT) + self._grow(text)
        return self._head + self._grown + dump(text) + self._tail if self._grown else b""

    def _grow_input(self, text: str) -> bytes:
        if self._block is None or self._block.get("type") != "tool_use":
            return b""
        self._has_input = self._has_input or not text.isspace()
        return self._tool_delta({"function": {"arguments": text}})

    def _close(self, fields: Mapping[str, Any]) -> bytes:
        block, self._block, self._grown = self._block, None, None
        if block and block.get("type") == "image":
            self._images += 1
            return self._chunk({"images": [image_entry({**block, **fields}, self._images - 1)]})
        if block is None or block.get("type") != "tool_use" or self._has_input:
            return b""
        return self._tool_delta({"function": {"arguments": input_text({**block, **fields})}})

    def _end(self, end: ReplyEnded) -> bytes:
        self._is_ended = True
        explained = self._chunk({"refusal": end.explanation}) if end.explanation else b""
        finish = self._chunk({}, finish_reason(end.stop_reason, has_calls=self._calls > 0))
        if not self._includes_usage:
            return explained + finish + _DONE
        usage = {**self._envelope, "choices": [], "usage": usage_object(self._usage)}
        return explained + finish + b"data: " + dump(usage) + b"\n\n" + _DONE

    def _tool_delta(self, call: Mapping[str, Any]) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._calls - 1, **call}]})

    def _chunk(self, delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        return self._head + dump(delta) + b',"finish_reason":' + dump(reason) + self._end_of_chunk


def finish_reason(reason: str | None, *, has_calls: bool) -> str:
    """A reply that was neither cut off nor refused ends with tool calls or with a stop."""
    return _FINISH_REASONS.get(reason) or ("tool_calls" if has_calls else "stop")


def usage_object(usage: Usage) -> dict[str, Any]:
    """The usage, in which prompt tokens include cached ones. Unknown figures are 0."""
    prompt = (usage.input_tokens or 0) + (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0)
    written = usage.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.thinking_tokens or 0},
    }


def error_object(problem: Problem) -> dict[str, Any]:
    is_unavailable = problem.kind == "api_error" and problem.status == 503
    otherwise = ("service_unavailable" if is_unavailable else "server_error", None)
    kind, code = _ERRORS.get(problem.kind, otherwise)
    return {"error": {"message": problem.message, "type": kind, "param": problem.param, "code": problem.code or code}}
