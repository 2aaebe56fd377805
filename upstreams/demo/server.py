"""A model server to try chatsite with: it speaks the Messages API over real HTTP, and only about itself."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from itertools import islice
from secrets import token_hex
from typing import Any, Final

import orjson

from upstreams.demo.reply import split_into_tokens, thoughts, write_reply

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

MODEL: Final = "chatsite-demo"
_LISTED: Final = {
    "type": "model",
    "id": MODEL,
    "display_name": "Demo",
    "created_at": "2026-01-01T00:00:00Z",
    "max_input_tokens": 200_000,
    "max_tokens": 8192,
}
_MAX_BODY: Final = 32 * 1024 * 1024
_CHARACTERS_A_TOKEN: Final = 4


class _Refused(Exception):
    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


class DemoUpstream:
    """An ASGI application that can be mounted under any prefix: only the end of the path matters.

    Callers send `key` as a Bearer token or as `x-api-key`. Replies are streamed at the pace at which people read, and
    end when the caller disconnects.
    """

    def __init__(self, key: str, *, tokens_per_second: float = 40.0) -> None:
        self._key = key.encode()
        self._pause = 1 / tokens_per_second

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            await self._answer(scope, receive, send)
        except _Refused as refused:
            error = {"type": refused.kind, "message": str(refused)}
            await _send_json(send, {"type": "error", "error": error, "request_id": _make_id("req")}, refused.status)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._authenticate(dict(scope["headers"]))
        path, method = scope["path"].rstrip("/"), scope["method"]
        if path.endswith("/v1/models"):
            _require_method(method, "GET")
            await _send_json(send, {"data": [_LISTED], "has_more": False, "first_id": MODEL, "last_id": MODEL})
        elif path.endswith("/v1/messages"):
            _require_method(method, "POST")
            reply = _Reply(_parse_request(await _read_body(receive)))
            if reply.is_streamed:
                await self._stream(reply, receive, send)
            else:
                await _send_json(send, reply.whole())
        else:
            raise _Refused(404, "not_found_error", "Not found.")

    def _authenticate(self, headers: Mapping[bytes, bytes]) -> None:
        bearer = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if not hmac.compare_digest(headers.get(b"x-api-key", bearer), self._key):
            raise _Refused(401, "authentication_error", "The API key is missing or wrong.")

    async def _stream(self, reply: "_Reply", receive: Receive, send: Send) -> None:
        writing = asyncio.create_task(self._write(reply, send))
        leaving = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            done, _ = await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if writing in done:
                writing.result()
        finally:
            writing.cancel()
            leaving.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)

    async def _write(self, reply: "_Reply", send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for event in reply.events():
            wire = b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))
            await send({"type": "http.response.body", "body": wire, "more_body": True})
            if event["type"] == "content_block_delta":
                await asyncio.sleep(self._pause)
        await send({"type": "http.response.body", "body": b""})


class _Reply:
    """One reply in the shapes of the Messages API."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.is_streamed = request.get("stream") is True
        thinking = request.get("thinking")
        thinks = isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")
        most = request["max_tokens"]
        self._model = str(request["model"])
        self._asked = len(orjson.dumps(request["messages"])) // _CHARACTERS_A_TOKEN
        self._thoughts = list(islice(split_into_tokens(thoughts()), most)) if thinks else []
        every = list(split_into_tokens(write_reply(request["messages"])))
        self._pieces = every[: most - len(self._thoughts)]
        self._stop_reason = "end_turn" if len(self._pieces) == len(every) else "max_tokens"

    def whole(self) -> dict[str, Any]:
        return self._build_message([block for _, block, _ in self._blocks()], self._stop_reason, self._count_tokens())

    def events(self) -> Iterator[dict[str, Any]]:
        yield {"type": "message_start", "message": self._build_message([], None, 1)}
        for index, (pieces, block, field) in enumerate(self._blocks()):
            empty = {name: value if name == "type" else "" for name, value in block.items()}
            yield {"type": "content_block_start", "index": index, "content_block": empty}
            for piece in pieces:
                delta = {"type": f"{field}_delta", field: piece}
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            if signature := block.get("signature"):
                delta = {"type": "signature_delta", "signature": signature}
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        end = {"stop_reason": self._stop_reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": self._count_tokens()}}
        yield {"type": "message_stop"}

    def _blocks(self) -> Iterator[tuple[list[str], dict[str, str], str]]:
        if self._thoughts:
            thought = "".join(self._thoughts)
            yield self._thoughts, {"type": "thinking", "thinking": thought, "signature": "demo"}, "thinking"
        if self._pieces:
            yield self._pieces, {"type": "text", "text": "".join(self._pieces)}, "text"

    def _count_tokens(self) -> int:
        return len(self._thoughts) + len(self._pieces)

    def _build_message(self, content: list[dict[str, str]], stop_reason: str | None, written: int) -> dict[str, Any]:
        return {
            "id": _make_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {"input_tokens": self._asked, "output_tokens": written},
        }


def _parse_request(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _Refused(400, "invalid_request_error", "The body is not JSON.") from None
    match request:
        case {"model": str(model), "messages": [dict(), *_], "max_tokens": int(most)} if most > 0:
            if model != MODEL:
                raise _Refused(404, "not_found_error", f"model: {model}")
            return dict(request)
    raise _Refused(400, "invalid_request_error", "model, messages and max_tokens are required.")


def _require_method(method: str, expected: str) -> None:
    if method != expected:
        raise _Refused(405, "invalid_request_error", f"This path only accepts {expected}.")


async def _read_body(receive: Receive) -> bytes:
    parts, size, is_complete = [], 0, False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "invalid_request_error", "The body is incomplete.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MAX_BODY:
            raise _Refused(413, "request_too_large", "The body is too large.")
        is_complete = not message.get("more_body", False)
    return b"".join(parts)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_json(send: Send, answer: object, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(answer)})


def _make_id(prefix: str) -> str:
    return f"{prefix}_{token_hex(12)}"
