"""Copies the events of an upstream that speaks the client's protocol, with a few corrections. No I/O."""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from upstreams.endpoint import ProtocolName
from upstreams.sse import ServerSentEvent
from upstreams.tolerant_json import dump, load

_STOP: Final = '{"type":"message_stop"}'
_DONE: Final = b"data: [DONE]\n\n"
_MODEL: Final = re.compile(r'"model"\s*:\s*(?:"(?:[^"\\]|\\.)*"|null)')
_NO_CHOICES: Final = re.compile(r'"choices"\s*:\s*\[\s*\]')
_ABSENT: Final[Mapping[str, Any]] = {
    **{"type": "message", "role": "assistant", "content": []},
    **{"stop_reason": None, "stop_sequence": None},
}
_NO_USAGE: Final = {"input_tokens": 0, "output_tokens": 0}


class Copier(Protocol):
    def copy(self, sse: ServerSentEvent, /) -> bytes:
        """Returns the event for the client; empty if the client does not get it."""
        ...

    def missing_end(self) -> bytes:
        """Returns the end of a complete reply if the upstream omitted it."""
        ...


class MessagesCopier:
    """Adds what some servers omit: the line that names an event, and figures without which the SDK fails."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._is_stopped = False

    def copy(self, sse: ServerSentEvent) -> bytes:
        kind, data = sse.type, sse.data
        if kind == "content_block_delta":
            return _frame(kind, data)
        if kind == "message":
            event = _parse(data)
            kind = str(event.get("type") or "")
        if kind == "message_start":
            data = self._with_all_fields(data)
        elif kind == "message_delta":
            data = _with_usage(data)
        self._is_stopped = self._is_stopped or kind == "message_stop"
        return _frame(kind, data) if kind else b""

    def missing_end(self) -> bytes:
        return b"" if self._is_stopped else _frame("message_stop", _STOP)

    def _with_all_fields(self, data: str) -> str:
        event = _parse(data)
        message = event.get("message")
        if not isinstance(message, dict):
            return data
        usage = {**_NO_USAGE, **_figures(message.get("usage"))}
        return _dump({**event, "message": {**_ABSENT, **message, "model": self._model, "usage": usage}})


class ChatCopier:
    """Omits the usage chunk unless the client requested it. The gateway always requests it."""

    def __init__(self, model: str, *, wants_usage: bool) -> None:
        self._wants_usage = wants_usage
        self._model = f'"model":{_dump(model)}'
        self._named = ""
        self._is_done = False

    def copy(self, sse: ServerSentEvent) -> bytes:
        data = sse.data
        if data.strip() == "[DONE]":
            self._is_done = True
            return _DONE
        if data[:1] != "{":
            return b""
        if not self._wants_usage and _is_usage_alone(data):
            return b""
        # Nearly every chunk spells the model's name like the previous chunk.
        if not self._named or self._named not in data:
            found = _MODEL.search(data)
            self._named = found[0] if found else ""
        if self._named and self._named != self._model:
            data = data.replace(self._named, self._model, 1)
        return f"data: {_on_one_line(data)}\n\n".encode()

    def missing_end(self) -> bytes:
        return b"" if self._is_done else _DONE


def make_copier(protocol: ProtocolName, model: str, *, wants_usage: bool) -> Copier:
    """`model` is the client's name for the model; `wants_usage` matters in Chat Completions only."""
    return MessagesCopier(model) if protocol is ProtocolName.ANTHROPIC else ChatCopier(model, wants_usage=wants_usage)


def copy_whole(protocol: ProtocolName, body: bytes, model: str) -> bytes:
    """A reply in one piece, with the client's name for the model and all the figures that the SDK needs."""
    reply = load(body)
    usage = _figures(reply.get("usage"))
    if protocol is ProtocolName.ANTHROPIC:
        usage = {**_NO_USAGE, **usage}
    else:
        usage = usage or {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return dump({**reply, "model": model, "usage": usage})


def _is_usage_alone(data: str) -> bool:
    if not _NO_CHOICES.search(data):
        return False
    chunk = _parse(data)
    return chunk.get("choices") == [] and bool(chunk.get("usage"))


def _with_usage(data: str) -> str:
    event = _parse(data)
    usage = _figures(event.get("usage"))
    return data if "output_tokens" in usage else _dump({**event, "usage": {"output_tokens": 0, **usage}})


def _figures(usage: object) -> Mapping[str, Any]:
    return usage if isinstance(usage, dict) else {}


def _frame(kind: str, data: str) -> bytes:
    return f"event: {kind}\ndata: {_on_one_line(data)}\n\n".encode()


def _on_one_line(data: str) -> str:
    # In JSON a line end is white space: within a string it would be escaped.
    return data.replace("\n", " ")


def _parse(data: str) -> dict[str, Any]:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def _dump(value: object) -> str:
    return dump(value).decode()
