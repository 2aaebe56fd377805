"""A client's request as it comes over HTTP."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import orjson
from django.conf import settings

from gateway.problems import Problem

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]

_JSON: Final = "application/json"


class Gone(Exception):
    """The client has left before all of its request was here."""


class Incoming:
    def __init__(self, scope: Mapping[str, Any], receive: Receive) -> None:
        self._receive = receive
        self._scheme = scope.get("scheme", "http")
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        """With lower-case names."""

    @property
    def size(self) -> int | None:
        """Bytes of the body, as far as the client has said."""
        told = self.headers.get("content-length", "")
        return int(told) if told.isdecimal() else None

    @property
    def is_encrypted(self) -> bool:
        """Whether it came over TLS, by the word of the proxy where settings say that there is one."""
        if behind := getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
            name, secure = behind
            said = self.headers.get(name.removeprefix("HTTP_").replace("_", "-").lower(), "")
            return bool(said.partition(",")[0].strip() == secure)
        return bool(self._scheme == "https")

    async def json(self) -> dict[str, Any]:
        """The body, which is a JSON object."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _JSON:
            raise Problem(400, "invalid_request_error", f"content-type: must be {_JSON}.")
        try:
            body = orjson.loads(await self._body())
        except orjson.JSONDecodeError:
            raise Problem(400, "invalid_request_error", "The body is not valid JSON.") from None
        if not isinstance(body, dict):
            raise Problem(400, "invalid_request_error", "The body must be a JSON object.")
        return body

    async def gone(self) -> None:
        """Returns when the client has left."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _body(self) -> bytes:
        most: int = settings.GATEWAY_BODY_SIZE
        parts, size, is_complete = [], 0, False
        if (self.size or 0) > most:
            raise _too_large(most)
        while not is_complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                raise _too_large(most)
            is_complete = not message.get("more_body", False)
        return b"".join(parts)


def _too_large(most: int) -> Problem:
    return Problem(413, "request_too_large", f"The body is larger than the maximum of {most / 1_000_000:g} MB.")
