"""The HTTP response to a program: in one piece, or as a stream of events."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from gateway.problems import Problem

type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

KEEP_ALIVE: Final = 15.0
"""Seconds of silence after which a stream sends a ping."""
PATIENCE: Final = 300.0
"""Seconds without reading after which a client counts as gone."""
_STREAMED: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class Outgoing:
    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0
        """0 until the response has begun."""
        self.log_context = ""
        """Names the key and the model in the log."""
        self.headers: dict[str, str] = {}
        """Further headers of any response."""
        self._now = asyncio.get_running_loop().time
        self._last = self._now()
        self._is_sending = False

    async def send_whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        kind = {"content-type": "application/json", "content-length": str(len(body))}
        await self._begin(status, {**kind, **(headers or {})})
        await self._send({"type": "http.response.body", "body": body})

    async def send_problem(self, body: bytes, problem: Problem) -> None:
        await self.send_whole(body, problem.status, _retry_headers(problem))

    async def write(self, wire: bytes) -> None:
        """Sends some events of a stream. Returns when the client has read nearly all that was sent."""
        self._last = self._now()
        self._is_sending = True
        if not self.status:
            await self._begin(200, _STREAMED)
        await self._send({"type": "http.response.body", "body": wire, "more_body": True})
        self._is_sending = False

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def keep_alive(self, encode_ping: Callable[[], bytes]) -> None:
        """Sends a ping after each silence. Returns when the client has stopped reading."""
        while True:
            silent = self._now() - self._last
            if self._is_sending and silent >= PATIENCE:
                return
            if silent >= KEEP_ALIVE and not self._is_sending:
                await self.write(encode_ping())
            else:
                await asyncio.sleep(KEEP_ALIVE - silent % KEEP_ALIVE)

    async def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        # Each protocol's SDK reads one of the two.
        ids = {"request-id": self.request_id, "x-request-id": self.request_id, "x-content-type-options": "nosniff"}
        pairs = {**headers, **self.headers, **ids}.items()
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})


def _retry_headers(problem: Problem) -> dict[str, str]:
    headers = {}
    if problem.retry_after is not None:
        headers["retry-after"] = str(math.ceil(problem.retry_after))
    if problem.should_retry is not None:
        headers["x-should-retry"] = "true" if problem.should_retry else "false"
    return headers
