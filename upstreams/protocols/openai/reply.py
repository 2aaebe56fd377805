"""Replies of the Chat Completions API as reply events, streamed and whole.

Compatible servers differ in many small ways. A comment names the difference that a branch handles.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from upstreams.endpoint import Endpoint
from upstreams.errors import BrokenStream, EmptyReply, NotAModelServer, ServerFailed, UpstreamError
from upstreams.events import BlockGrew, ReplyEnded, ReplyEvent, ReplyStarted, UsageReported
from upstreams.protocols.openai.blocks import BlockQueue
from upstreams.protocols.openai.contents import REASONING_FIELDS
from upstreams.protocols.openai.details import DETAILS
from upstreams.protocols.openai.images import find_address
from upstreams.protocols.openai.usage import read_usage
from upstreams.protocols.refusals import find_failure, redact
from upstreams.wire.nesting import MAX_REPLY_DEPTH, is_too_deep, load_reply
from upstreams.wire.sse import ServerSentEvent
from upstreams.wire.tolerant_json import load, load_piece, restore_long_numbers

_IMAGE: Final = "An image"
_OTHER_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("image", "image_url", "output_image"), _IMAGE),
    **dict.fromkeys(("audio", "input_audio", "output_audio"), "A recording"),
    **dict.fromkeys(("file", "document"), "A file"),
    **dict.fromkeys(("video", "video_url"), "A video"),
}
"""What people call content of these types, which an answer may have beside its text."""
_MOST_NAMED: Final = 10
"""How much content that cannot be shown a reply names."""
_STOP_REASONS: Final[Mapping[str, str]] = {
    "stop": "end_turn",
    "eos": "end_turn",
    "length": "max_tokens",
    "model_length": "max_tokens",
    "max_tokens": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def read_events(body: bytes, endpoint: Endpoint) -> Iterator[ReplyEvent]:
    """The events of an unstreamed reply. Those before a failure are valid."""
    try:
        completion = load_reply(body)
    except orjson.JSONDecodeError:
        completion = None
    match completion:
        case {"choices": [{"message": dict(message), **choice}, *_]}:
            decoder = ChatDecoder(endpoint)
            message = {**message, "tool_calls": _number(message.get("tool_calls"))}
            yield from decoder.read({**completion, "choices": [{**choice, "index": 0, "delta": message}]})
            yield from decoder.finish()
        case _:
            detail = redact(body[:4096].decode("utf-8", "replace"), endpoint)
            raise find_failure(endpoint, completion) or NotAModelServer.at(endpoint.name, detail=detail)


def _number(calls: object) -> object:
    """Each call of a whole reply is one of its own, even if it has the id of another."""
    if not isinstance(calls, list):
        return calls
    return [{**call, "index": place} for place, call in enumerate(calls) if isinstance(call, dict)]


class ChatDecoder:
    """Decodes one streamed reply of the Chat Completions API."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.done = False
        self._blocks = BlockQueue()
        self._endpoint = endpoint
        self._started = False
        self._has_audio = False
        self._named = 0
        self._usage: object = None
        self._reason: str | None = None
        self.has_surrogates = False

    @property
    def size(self) -> int:
        return self._blocks.size

    @property
    def image_size(self) -> int:
        return self._blocks.image_size

    def feed(self, sse: ServerSentEvent) -> Sequence[ReplyEvent]:
        if self.done:
            return ()
        data = sse.data
        if data[:1] != "{" or sse.type == "error":
            return self._unusual(sse)
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            chunk = self._load_strange(data)
        # Nearly every chunk adds a little text to the open block.
        if self._blocks.open_kind == "text" and (text := _only_text(chunk)):
            self._blocks.size += len(text)
            return (BlockGrew(text),)
        return list(self.read(restore_long_numbers(chunk, data)))

    def end(self) -> Sequence[ReplyEvent]:
        if self.done:
            return ()
        if self._reason is None:
            raise BrokenStream.at(self._endpoint.name)
        return list(self.finish())

    def _unusual(self, sse: ServerSentEvent) -> Sequence[ReplyEvent]:
        data = sse.data.strip()
        if data == "[DONE]":
            return list(self.finish())
        if not data:
            return ()
        try:
            answer = load(data)
        except orjson.JSONDecodeError:
            if sse.type != "error":
                raise self._build_malformed(data) from None
            answer = {"error": data}
        if sse.type == "error" and not (isinstance(answer, dict) and "error" in answer):
            answer = {"error": answer}
        if failure := find_failure(self._endpoint, answer):
            raise failure
        if isinstance(answer, dict):
            return list(self.read(answer))
        raise self._build_malformed(data)

    def _load_strange(self, data: str) -> dict[str, Any]:
        """Loads a chunk that strict JSON does not allow. Raises BrokenStream."""
        try:
            chunk = load_piece(data)
        except orjson.JSONDecodeError:
            raise self._build_malformed(data) from None
        if not isinstance(chunk, dict) or is_too_deep(chunk, MAX_REPLY_DEPTH):
            raise self._build_malformed(data)
        self.has_surrogates = self.has_surrogates or "\\u" in data
        return chunk

    def _build_malformed(self, data: str) -> UpstreamError:
        detail = "malformed chunk: " + redact(data[:4096], self._endpoint)
        return BrokenStream.at(self._endpoint.name, detail=detail)

    def read(self, chunk: dict[str, Any]) -> Iterator[ReplyEvent]:
        """Reads one chunk, which has a `delta` in its choice."""
        if not self._started and (chunk.get("id") or chunk.get("model") or chunk.get("choices")):
            self._started = True
            yield ReplyStarted(id=_text(chunk.get("id")), model=_text(chunk.get("model")))
        choice = _first_choice(chunk)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            yield from self._delta(delta)
        # Some servers put the usage into the choice.
        yield from self._report(chunk.get("usage") or choice.get("usage"))
        if failure := find_failure(self._endpoint, chunk):
            raise failure
        if reason := choice.get("finish_reason"):
            if reason == "error":
                raise ServerFailed.at(self._endpoint.name)
            self._reason = str(reason)

    def _delta(self, delta: dict[str, Any]) -> Iterator[ReplyEvent]:
        content = delta.get("content")
        parts = content if isinstance(content, list) else [content]
        # Only one of these: some servers send the same thinking under several names.
        for field in REASONING_FIELDS:
            if thinking := _text(delta.get(field)) or _details(delta.get(field)):
                yield from self._blocks.grow("thinking", thinking, field)
                break
        else:
            if inline_thinking := "".join(_read_part(part)[1] for part in parts):
                yield from self._blocks.grow("thinking", inline_thinking)
        details = delta.get(DETAILS)
        if entries := [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []:
            yield from self._blocks.keep_details(entries)
        for part in parts:
            yield from self._part(part)
        images = delta.get("images")
        for image in images if isinstance(images, list) else ():
            yield from self._image(image)
        if delta.get("audio") and not self._has_audio:
            self._has_audio = True
            yield from self._name("audio")
        if refusal := _text(delta.get("refusal")):
            yield from self._blocks.grow("text", refusal)
        if delta.get("tool_calls") or delta.get("function_call"):
            yield from self._blocks.take(delta)

    def _part(self, part: object) -> Iterator[ReplyEvent]:
        text, thinking = _read_part(part)
        if text:
            yield from self._blocks.grow("text", text)
        elif not thinking and isinstance(part, dict) and "text" not in part and "thinking" not in part:
            kind = str(part.get("type"))
            yield from self._image(part) if _OTHER_KINDS.get(kind) == _IMAGE else self._name(kind)

    def _image(self, entry: object) -> Iterator[ReplyEvent]:
        if address := find_address(entry):
            yield from self._blocks.show(address, entry.get("index") if isinstance(entry, dict) else None)
        elif entry:
            yield from self._name("image")

    def _name(self, kind: str) -> Iterator[ReplyEvent]:
        """Writes that content came that cannot be shown."""
        if kind in _OTHER_KINDS and self._named < _MOST_NAMED:
            self._named += 1
            name = _OTHER_KINDS[kind]
            yield from self._blocks.grow("text", f"\n\n*{name} came with this answer. It cannot be shown here.*\n\n")

    def _report(self, reported: object) -> Iterator[ReplyEvent]:
        if isinstance(reported, dict) and reported and reported != self._usage:
            self._usage = reported
            yield UsageReported(read_usage(reported))

    def finish(self) -> Iterator[ReplyEvent]:
        """The proper end. A reply without content is a failure, unless the upstream gave a reason for it."""
        self.done = True
        reason = read_stop_reason(self._reason)
        is_cut = reason == "max_tokens"
        yield from self._blocks.end(is_cut=is_cut)
        # Some servers report "stop" although they call tools, so the calls decide. Only a cut reply is no request to
        # run them.
        if self._blocks.has_calls and not is_cut:
            reason = "tool_use"
        if not self.size and reason in (None, "end_turn"):
            raise EmptyReply.at(self._endpoint.name)
        yield ReplyEnded(stop_reason=reason)


def read_stop_reason(finish_reason: str | None) -> str | None:
    """The stop reason in the words of the Messages API. An unknown one stays as it is."""
    return _STOP_REASONS.get(finish_reason or "", finish_reason)


def _only_text(chunk: dict[str, Any]) -> str:
    """The text of a chunk with nothing else in it; "" for any other chunk, which is then read in full."""
    try:
        if len(choices := chunk["choices"]) != 1 or chunk.get("usage") or "error" in chunk:
            return ""
        choice = choices[0]
        delta = choice["delta"]
        text = delta["content"]
        if choice.get("finish_reason") or choice.get("index") or choice.get("usage") or not isinstance(text, str):
            return ""
        return text if len(delta) == 1 or (len(delta) == 2 and "role" in delta) else ""
    except (KeyError, TypeError, AttributeError):
        return ""


def _first_choice(chunk: dict[str, Any]) -> dict[str, Any]:
    """The choice with index 0. Chunks without choices carry usage, or the results of a filter."""
    choices = chunk.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and not choice.get("index"):
            return choice
    return {}


def _read_part(part: object) -> tuple[str, str]:
    """(text, thinking) of a `content`, or of one part of it."""
    match part:
        case str():
            return part, ""
        case {"type": "thinking", "thinking": inner} | {"type": "reasoning", "text": inner}:
            return "", "".join(_read_part(each)[0] for each in (inner if isinstance(inner, list) else [inner]))
        case {"text": str(text)}:
            return text, ""
    return "", ""


def _details(details: object) -> str:
    """The readable part of `reasoning_details[]`."""
    entries = [entry for entry in details if isinstance(entry, dict)] if isinstance(details, list) else []
    return "".join(_text(entry.get("text")) or _text(entry.get("summary")) for entry in entries)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
