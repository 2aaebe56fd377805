"""An HTTP connection that answers what it refuses in words, and lets the client read the answer before it closes."""

import time
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

from twisted.web import http

from chatsite.logs.request_ids import make_request_id

# Its types are incomplete.
HTTPChannel: Any = http.HTTPChannel

RETRY_AFTER: Final = 5


class ConnectionState(Enum):
    IDLE = auto()
    HEADERS = auto()
    CHECK = auto()
    """The server finds out who sends the request, and reads nothing meanwhile."""
    BODY = auto()
    WORK = auto()
    """The site has the whole request and has not answered it yet."""
    LEAVING = auto()
    """The server discards what the client still sends."""


class RefusingChannel(HTTPChannel):  # type: ignore[misc]
    state = ConnectionState.IDLE
    since = 0.0
    """When the state began, or, in BODY, the latest check of its pace."""
    received = 0
    """Bytes since then."""

    def enter(self, state: ConnectionState) -> None:
        self.state, self.since, self.received = state, time.monotonic(), 0

    def refuse(self, status: HTTPStatus, words: str, request_id: str = "") -> None:
        """Answers the request and closes the connection. Discards the rest of the request meanwhile."""
        if self.state is ConnectionState.LEAVING:
            return
        body = f"{words}\n".encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id or make_request_id()}\r\n"
            "cache-control: no-store\r\nconnection: close\r\n"
        )
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            head += f"retry-after: {RETRY_AFTER}\r\n"
        has_body = getattr(self, "_command", b"") != b"HEAD"
        self.transport.write(head.encode() + b"\r\n" + (body if has_body else b""))
        self.discard()
        self.loseConnection()

    def discard(self) -> None:
        """Ignores everything that the client sends from here on."""
        self.enter(ConnectionState.LEAVING)
        self.setTimeout(None)
        self.paused = True
        self._buffer = b""
        self._networkProducer.resumeProducing()

    def loseConnection(self) -> None:
        """Closes the connection, so that a client that still sends can read the answer first."""
        if self.state is not ConnectionState.LEAVING:
            super().loseConnection()
            return
        self.since = time.monotonic()
        self._networkProducer.unregisterProducer()
        self.transport.loseWriteConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "A line of the request’s headers is too long.")

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(HTTPStatus.BAD_REQUEST, "The request is not valid HTTP.")
