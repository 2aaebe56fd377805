"""Copies the events of an upstream that speaks the client's protocol, with a few corrections. No I/O."""

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from gateway.dialects.blocks import CUT_INPUT
from gateway.passing.chat_calls import StreamedCalls, correct_whole
from upstreams.endpoint import ProtocolName
from upstreams.reply import CUT_REASONS
from upstreams.wire.sse import ServerSentEvent
from upstreams.wire.tolerant_json import dump, load, load_piece

_STOP: Final = '{"type":"message_stop"}'
_DONE: Final = b"data: [DONE]\n\n"
_MODEL: Final = re.compile(r'"model"\s*:\s*(?:"(?:[^"\\]|\\.)*"|null)')
_NO_CHOICES: Final = re.compile(r'"choices"\s*:\s*\[\s*\]')
_TOOL_CALLS: Final = '"tool_calls"'
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
    """Adds what some servers omit: the line that names an event, and figures without which the SDK fails.

    Only the end says whether a tool call without input is complete, so the stop of its block waits for the next event.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._is_stopped = False
        self._call: int | None = None
        """The index of the open block, if it is a tool call without input so far."""
        self._held = b""

    def copy(self, sse: ServerSentEvent) -> bytes:
        kind, data = sse.type, sse.data
        if kind == "content_block_delta" and self._call is None:
            return _frame(kind, data)
        if kind == "message":
            event = _parse(data)
            kind = str(event.get("type") or "")
        if self._call is not None and kind != "ping":
            return self._copy_in_call(kind, data)
        if kind == "content_block_start":
            self._call = _find_call(data)
        if kind == "message_start":
            data = self._with_all_fields(data)
        elif kind == "message_delta":
            data = _with_usage(data)
        self._is_stopped = self._is_stopped or kind == "message_stop"
        return _frame(kind, data) if kind else b""

    def missing_end(self) -> bytes:
        held, self._held = self._held, b""
        return held if self._is_stopped else held + _frame("message_stop", _STOP)

    def _copy_in_call(self, kind: str, data: str) -> bytes:
        if kind == "content_block_stop":
            self._held = _frame(kind, data)
            return b""
        event = _parse(data)
        if kind == "content_block_delta":
            if str(_within(event, "delta").get("partial_json") or "").strip():
                self._call = None
            return _frame(kind, data)
        before, self._held = self._held, b""
        if before and _within(event, "delta").get("stop_reason") in CUT_REASONS:
            delta = {"type": "input_json_delta", "partial_json": CUT_INPUT}
            missing = {"type": "content_block_delta", "index": self._call, "delta": delta}
            before = _frame("content_block_delta", _dump(missing)) + before
        self._call = None
        return before + self.copy(ServerSentEvent(kind, data))

    def _with_all_fields(self, data: str) -> str:
        event = _parse(data)
        message = event.get("message")
        if not isinstance(message, dict):
            return data
        usage = {**_NO_USAGE, **_figures(message.get("usage"))}
        return _dump({**event, "message": {**_ABSENT, **message, "model": self._model, "usage": usage}})


class ChatCopier:
    """Omits the usage chunk unless the client requested it, and corrects tool calls. The gateway always requests usage.

    `call_ids` are those of earlier calls.
    """

    def __init__(self, model: str, *, wants_usage: bool, call_ids: frozenset[str]) -> None:
        self._call_ids = call_ids
        self._calls: dict[int, StreamedCalls] = {}
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
        if self._calls or _TOOL_CALLS in data:
            data = self._correct_calls(data)
        return f"data: {_on_one_line(data)}\n\n".encode()

    def missing_end(self) -> bytes:
        return b"" if self._is_done else _DONE

    def _correct_calls(self, data: str) -> str:
        try:
            chunk = load_piece(data)
        except ValueError:
            return data
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            return data
        corrected = [self._correct(choice) if isinstance(choice, dict) else choice for choice in choices]
        return data if corrected == choices else _dump({**chunk, "choices": corrected})

    def _correct(self, choice: dict[str, Any]) -> dict[str, Any]:
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        if index not in self._calls:
            self._calls[index] = StreamedCalls(self._call_ids)
        return self._calls[index].correct(choice)


def make_copier(
    protocol: ProtocolName, model: str, *, wants_usage: bool, call_ids: frozenset[str] = frozenset()
) -> Copier:
    """`model` is the client's name for the model. The other arguments matter in Chat Completions only."""
    if protocol is ProtocolName.ANTHROPIC:
        return MessagesCopier(model)
    return ChatCopier(model, wants_usage=wants_usage, call_ids=call_ids)


def copy_whole(protocol: ProtocolName, body: bytes, model: str, call_ids: frozenset[str]) -> bytes:
    """A reply in one piece, with the client's name for the model and all the figures that the SDK needs."""
    reply = load(body)
    if protocol is ProtocolName.ANTHROPIC:
        reply = _without_cut_call(reply)
    elif isinstance(choices := reply.get("choices"), list):
        choices = [correct_whole(each, call_ids) if isinstance(each, dict) else each for each in choices]
        reply = {**reply, "choices": choices}
    usage = _figures(reply.get("usage"))
    if protocol is ProtocolName.ANTHROPIC:
        usage = {**_NO_USAGE, **usage}
    else:
        usage = usage or {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return dump({**reply, "model": model, "usage": usage})


def _without_cut_call(reply: dict[str, Any]) -> dict[str, Any]:
    """The message without a last call that was cut before its input, which would look complete."""
    match reply:
        case {"content": [*before, {"type": "tool_use", **call}], "stop_reason": reason} if reason in CUT_REASONS:
            return reply if call.get("input") else {**reply, "content": before}
    return reply


def _find_call(data: str) -> int | None:
    """The index of a block that begins, if it is a tool call whose input follows."""
    event = _parse(data)
    block, index = _within(event, "content_block"), event.get("index")
    return index if isinstance(index, int) and block.get("type") == "tool_use" and not block.get("input") else None


def _within(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _figures(event.get(name))


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
