"""The events of an upstream that speaks the client's protocol: passed on as they came, but for a few words. No I/O."""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from upstreams.endpoint import ProtocolName
from upstreams.sse import ServerSentEvent

_STOP: Final = '{"type":"message_stop"}'
_DONE: Final = "data: [DONE]\n\n"
_MODEL: Final = re.compile(r'"model"\s*:\s*(?:"(?:[^"\\]|\\.)*"|null)')
_NO_CHOICES: Final = re.compile(r'"choices"\s*:\s*\[\s*\]')
_ABSENT: Final[Mapping[str, Any]] = {
    **{"type": "message", "role": "assistant", "content": []},
    **{"stop_reason": None, "stop_sequence": None},
}
_NO_USAGE: Final = {"input_tokens": 0, "output_tokens": 0}


class Relay(Protocol):
    def wire(self, sse: ServerSentEvent, /) -> str:
        """The event as the client gets it; "" when it does not."""
        ...

    def ending(self) -> str:
        """What the upstream left out although its reply is complete."""
        ...


class MessagesRelay:
    """Some servers leave out the line that names an event, or figures without which the SDK fails."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._is_stopped = False

    def wire(self, sse: ServerSentEvent) -> str:
        kind, data = sse.type, sse.data
        if kind == "content_block_delta":
            return f"event: {kind}\ndata: {data}\n\n" if "\n" not in data else _framed(kind, data)
        if kind == "message":
            event = _parsed(data)
            kind = str(event.get("type") or "")
        if kind == "message_start":
            data = self._begun(data)
        elif kind == "message_delta":
            data = _with_usage(data)
        self._is_stopped = self._is_stopped or kind == "message_stop"
        return _framed(kind, data) if kind else ""

    def ending(self) -> str:
        return "" if self._is_stopped else _framed("message_stop", _STOP)

    def _begun(self, data: str) -> str:
        event = _parsed(data)
        message = event.get("message")
        if not isinstance(message, dict):
            return data
        usage = {**_NO_USAGE, **_figures(message.get("usage"))}
        return _dumped({**event, "message": {**_ABSENT, **message, "model": self._model, "usage": usage}})


class ChatRelay:
    """The usage is asked for in any case, so its chunk is kept back from whoever did not ask."""

    def __init__(self, model: str, *, wants_usage: bool) -> None:
        self._wants_usage = wants_usage
        self._model = f'"model":{_dumped(model)}'
        self._said = ""
        self._is_done = False

    def wire(self, sse: ServerSentEvent) -> str:
        data = sse.data
        if data.strip() == "[DONE]":
            self._is_done = True
            return _DONE
        if data[:1] != "{":
            return ""
        if not self._wants_usage and _is_usage_alone(data):
            return ""
        # Nearly every chunk names the model in the same words as the one before.
        if not self._said or self._said not in data:
            found = _MODEL.search(data)
            self._said = found[0] if found else ""
        if self._said and self._said != self._model:
            data = data.replace(self._said, self._model, 1)
        return f"data: {data}\n\n" if "\n" not in data else f"data: {_on_one_line(data)}\n\n"

    def ending(self) -> str:
        return "" if self._is_done else _DONE


def relay(protocol: ProtocolName, model: str, *, wants_usage: bool) -> Relay:
    """`wants_usage` is for the one protocol in which a client has to ask for it."""
    return MessagesRelay(model) if protocol is ProtocolName.ANTHROPIC else ChatRelay(model, wants_usage=wants_usage)


def whole(protocol: ProtocolName, body: bytes, model: str) -> bytes:
    """A reply in one piece, which names the model as it was asked for and has figures where the SDK counts on them."""
    reply = orjson.loads(body)
    usage = _figures(reply.get("usage"))
    if protocol is ProtocolName.ANTHROPIC:
        usage = {**_NO_USAGE, **usage}
    else:
        usage = usage or {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return orjson.dumps({**reply, "model": model, "usage": usage})


def _is_usage_alone(data: str) -> bool:
    if not _NO_CHOICES.search(data):
        return False
    chunk = _parsed(data)
    return chunk.get("choices") == [] and bool(chunk.get("usage"))


def _with_usage(data: str) -> str:
    event = _parsed(data)
    usage = _figures(event.get("usage"))
    return data if "output_tokens" in usage else _dumped({**event, "usage": {"output_tokens": 0, **usage}})


def _figures(usage: object) -> Mapping[str, Any]:
    return usage if isinstance(usage, dict) else {}


def _framed(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {_on_one_line(data)}\n\n"


def _on_one_line(data: str) -> str:
    # Within JSON a line's end is white space: inside a string it is written as an escape.
    return data.replace("\n", " ")


def _parsed(data: str) -> dict[str, Any]:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def _dumped(value: object) -> str:
    return orjson.dumps(value).decode()
