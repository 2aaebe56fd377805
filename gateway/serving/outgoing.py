"""What a client is answered over HTTP: in one piece, or as a stream of events."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from gateway.problems import Problem

type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

KEEP_ALIVE: Final = 15.0
"""Seconds of silence after which a stream says that it is still there."""
PATIENCE: Final = 300.0
"""Seconds for which a client may take nothing of its stream."""
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
        """0 until something was answered."""
        self.about = ""
        """Who asked for what, for the log."""
        self.headers: dict[str, str] = {}
        """What an answer of any kind says besides."""
        self._now = asyncio.get_running_loop().time
        self._last = self._now()
        self._is_sending = False

    async def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        kind = {"content-type": "application/json", "content-length": str(len(body))}
        await self._begin(status, {**kind, **(headers or {})})
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(self, body: bytes, problem: Problem) -> None:
        await self.whole(body, problem.status, _retrying(problem))

    async def write(self, wire: bytes) -> None:
        """Some events of a stream. Returns when the client has taken nearly all of what it was sent."""
        self._last = self._now()
        self._is_sending = True
        if not self.status:
            await self._begin(200, _STREAMED)
        await self._send({"type": "http.response.body", "body": wire, "more_body": True})
        self._is_sending = False

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def keep_alive(self, ping: bytes) -> None:
        """Says something whenever nothing else was said for a while; returns when the client takes nothing."""
        while True:
            silent = self._now() - self._last
            if self._is_sending and silent >= PATIENCE:
                return
            if silent >= KEEP_ALIVE and not self._is_sending:
                await self.write(ping)
            else:
                await asyncio.sleep(KEEP_ALIVE - silent % KEEP_ALIVE)

    async def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        # Clients of the one protocol look for the first, of the other for the second.
        ids = {"request-id": self.request_id, "x-request-id": self.request_id, "x-content-type-options": "nosniff"}
        told = [(name.encode(), value.encode("latin-1")) for name, value in {**headers, **self.headers, **ids}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": told})


def _retrying(problem: Problem) -> dict[str, str]:
    headers = {}
    if problem.retry_after is not None:
        headers["retry-after"] = str(math.ceil(problem.retry_after))
    if problem.should_retry is not None:
        headers["x-should-retry"] = "true" if problem.should_retry else "false"
    return headers
