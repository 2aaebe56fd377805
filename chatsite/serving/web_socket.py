"""The WebSocket protocol of our server: bounded in what a client can send, and cheap in what it sends."""

import struct
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from daphne.ws_protocol import ConnectionDeny, WebSocketProtocol

from chatsite.logs.request_ids import get_request_id, make_request_id
from chatsite.serving.token_bucket import TokenBucket

NORMAL_CLOSURE: Final = 1000
FRAME_RATE: Final = (50, 5)
"""Frames of any kind that a client may send at once, and in each second. Parsing one takes as long as a query."""
LARGEST_MESSAGE: Final = 4096
"""Bytes of a message from a client, in however many frames. Pages send a few dozen."""
MOST_UNSENT: Final = 256 * 1024
"""Bytes that may wait for a slow reader. With more, the sender waits too."""


class WebSocket(WebSocketProtocol):  # type: ignore[misc]
    """Writes text frames directly to the socket, because Autobahn's general path takes three times as long."""

    def connectionMade(self) -> None:
        self.rate = TokenBucket(*FRAME_RATE)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING and hasattr(self, "request"):
            # A client has to wait for the answer. Autobahn would keep the data, and read it as another handshake.
            self.drop("data before the answer")
        else:
            super().dataReceived(data)

    def onFrameBegin(self) -> None:
        if self.rate.take():
            super().onFrameBegin()
        else:
            self.drop("too many frames")

    def drop(self, reason: str) -> None:
        self.wasNotCleanReason = reason
        self.dropConnection(abort=True)

    def handle_reply(self, message: dict[str, Any]) -> None:
        is_answer = hasattr(self, "handshake_deferred")
        if is_answer and self.state != self.STATE_CONNECTING:
            return  # It comes too late.
        if message["type"] == "websocket.http.response.start":
            self.refuse(HTTPStatus(message["status"]))
        elif message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            # Daphne would leave the reason out.
            self.sendClose(message.get("code") or NORMAL_CLOSURE, message.get("reason"))
        elif message["type"] != "websocket.http.response.body":
            super().handle_reply(message)

    def refuse(self, status: HTTPStatus) -> None:
        """Answers the handshake with a status (the ASGI extension `websocket.http.response`, without its body)."""
        self.handshake_deferred.errback(ConnectionDeny(status.value, status.phrase))
        del self.handshake_deferred
        self.server.protocol_disconnected(self)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        # Daphne's way needs what it notes of a complete handshake.
        if hasattr(self, "server"):
            super().onClose(wasClean, code, reason)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        # Autobahn's reason repeats what the client sent.
        id = get_request_id() or make_request_id()
        headers = [("Content-Length", "0"), ("Connection", "close"), ("X-Request-Id", id), *(responseHeaders or ())]
        super().sendHttpErrorResponse(code, HTTPStatus(code).phrase, headers)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        if self.state != self.STATE_OPEN or not isinstance(content, str):
            super().serverSend(content, binary)
            return
        write_now(self.transport, encode_text_frame(content))

    @property
    def is_behind(self) -> bool:
        return self.state == self.STATE_OPEN and count_unsent(self.transport) > MOST_UNSENT


def encode_text_frame(content: str) -> bytes:
    """Encodes a whole text message, unmasked (RFC 6455, 5.2)."""
    payload = content.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    return (struct.pack("!BBH", 0x81, 126, size) if size < 65536 else struct.pack("!BBQ", 0x81, 127, size)) + payload


def write_now(transport: Any, data: bytes) -> None:
    """Writes as much as the socket accepts now. The rest follows later, and all of it if older data still waits."""
    sent = 0
    if not count_unsent(transport):
        # After an error, Twisted tries to write the same data and handles the error.
        with suppress(OSError):
            sent = transport.socket.send(data)
    if sent < len(data):
        transport.write(data[sent:])


def count_unsent(transport: Any) -> int:
    """Returns the bytes that the socket has not accepted yet."""
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
