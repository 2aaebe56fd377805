"""A program's HTTP request."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import orjson
from django.conf import settings

from gateway.problems import Problem
from upstreams.wire.nesting import MAX_DEPTH, is_too_deep
from upstreams.wire.tolerant_json import load_strictly

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]

_JSON: Final = "application/json"
_MAX_DIGITS: Final = 18
"""The digits of a declared size that are read: enough to see that it is too large. Python refuses to read thousands."""


class ClientGone(Exception):
    """The client disconnected before all of its request had arrived."""


class Incoming:
    def __init__(self, scope: Mapping[str, Any], receive: Receive) -> None:
        self._receive = receive
        self._scheme = scope.get("scheme", "http")
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        """The headers, with lower-case names."""

    @property
    def size(self) -> int | None:
        """Bytes of the body, if the client has declared them."""
        declared = self.headers.get("content-length", "")
        return int(declared[:_MAX_DIGITS]) if declared.isdecimal() else None

    @property
    def is_encrypted(self) -> bool:
        """Whether the request came over TLS. Behind a proxy that the settings name, its header decides."""
        if header := getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
            name, secure = header
            value = self.headers.get(name.removeprefix("HTTP_").replace("_", "-").lower(), "")
            return bool(value.partition(",")[0].strip() == secure)
        return bool(self._scheme == "https")

    async def read_json(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            raise Problem(400, "invalid_request_error", f"content-type: must be {_JSON}.")
        try:
            wire = await self._read_body()
            body = load_strictly(wire)
        except orjson.JSONDecodeError:
            raise Problem(400, "invalid_request_error", "The body is not valid JSON.") from None
        if not isinstance(body, dict):
            raise Problem(400, "invalid_request_error", "The body must be a JSON object.")
        if wire.count(b"{") + wire.count(b"[") > MAX_DEPTH and is_too_deep(body, MAX_DEPTH):
            fault = f"The body is nested too deeply. It can have {MAX_DEPTH} levels of arrays and objects."
            raise Problem(400, "invalid_request_error", fault)
        return body

    async def wait_until_gone(self) -> None:
        """Returns when the client disconnects."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _read_body(self) -> bytes:
        limit: int = settings.GATEWAY_BODY_SIZE
        parts, size, is_complete = [], 0, False
        if (self.size or 0) > limit:
            raise _too_large(limit)
        while not is_complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise _too_large(limit)
            is_complete = not message.get("more_body", False)
        return b"".join(parts)


def _too_large(limit: int) -> Problem:
    return Problem(413, "request_too_large", f"The body is larger than the maximum of {limit / 1_000_000:g} MB.")
