"""Runs Daphne in this process.

Reports why it cannot listen, writes directly to sockets, waits for slow readers, and lets running work finish before
it stops.
"""

import asyncio
from functools import cache
from typing import Any, Final, cast

from daphne import server
from daphne.endpoints import build_endpoint_description_strings
from daphne.http_protocol import WebRequest
from django.conf import settings
from django.utils.module_loading import import_string
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogPublisher,
)
from twisted.web.http import NO_BODY_CODES

from chatsite.serving import bodies, shutdown
from chatsite.serving.accepting import pause_without_descriptors
from chatsite.serving.channel import Channel, Door, Identify, identify_nobody
from chatsite.serving.web_socket import LARGEST_MESSAGE, MOST_UNSENT, WebSocket, count_unsent, write_now

BODY_HEADERS: Final = (b"content-length", b"transfer-encoding")
PROOF: Final = 1_000_000
"""Bytes of a body that are kept beyond the limit, which show its reader that it is too large."""
UNTRUSTED: Final = (b"daphne-root-path", b"sec-websocket-protocol")
"""Headers that Daphne obeys, and fails on if they are not ASCII. We are served at the root, without subprotocols."""
STUCK_AFTER: Final = 60.0
"""Seconds after which a connection is dropped whose reader takes nothing. A page reconnects and catches up."""
CHECK_EVERY: Final = 1.0
"""Seconds between two looks for connections that are too slow."""
RECHECK_AFTER: Final = 0.05
"""Seconds between two checks of whether a slow reader has caught up."""


class Request(WebRequest):  # type: ignore[misc]
    """Writes the pieces of a stream directly to the socket, because Twisted makes three system calls for each.

    Keeps just enough of a body that is too large to show that it is.
    """

    received = 0
    pieces = 0
    """In how many parts the body has arrived so far."""
    is_cut = False

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        self.is_cut = length is not None and length > max(settings.REQUEST_SIZE, settings.GATEWAY_BODY_SIZE)

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        self.pieces += 1
        self.is_cut |= self.received > max(settings.REQUEST_SIZE, settings.GATEWAY_BODY_SIZE) + PROOF
        if not self.is_cut and self.channel.take_piece(len(data)):
            super().handleContentChunk(data)

    def process(self) -> Deferred[None]:
        for name in UNTRUSTED:
            self.requestHeaders.removeHeader(name)
        if self.method != b"GET" or self.received:
            # Only a GET without a body can become a WebSocket. Refusing one would answer HEAD with a body.
            self.requestHeaders.removeHeader(b"upgrade")
        elif (self.getHeader(b"upgrade") or b"").lower() == b"websocket":
            self.channel.let_go()
        answered: Deferred[None] = super().process()
        return answered

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Sends no body where HTTP allows none: a client would read its bytes as the next response.

        Twisted drops the body at its first piece only, because Daphne bypasses what Twisted puts in place for the rest.
        """
        if message["type"] == "http.response.start" and message["status"] in NO_BODY_CODES:
            headers = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in BODY_HEADERS]
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body" and (self.method == b"HEAD" or self.code in NO_BODY_CODES):
            message = {"type": "http.response.body"}
        super().handle_reply(message)

    def write_piece(self, message: dict[str, Any]) -> bool:
        """Writes the message if it is a piece of a stream. Returns whether it was one."""
        if not message.get("more_body") or not (self.startedWriting and self.chunked) or self.finished:
            return False
        piece = message.get("body")
        if not piece or self.channel is None:
            return False
        write_now(self.channel.transport, b"%x\r\n%b\r\n" % (len(piece), piece))
        return True

    @property
    def is_behind(self) -> bool:
        return not self.finished and self.channel is not None and count_unsent(self.channel.transport) > MOST_UNSENT

    def drop(self, reason: str) -> None:
        self.channel.transport.abortConnection()


class Server(server.Server):  # type: ignore[misc]
    fault: OSError | None = None

    def __init__(self, identify: Identify = identify_nobody, **options: Any) -> None:
        super().__init__(
            application=bodies.serve_bodies_in_pieces(import_string(settings.ASGI_APPLICATION)),
            endpoints=build_endpoint_description_strings(host=settings.HOST or "0.0.0.0", port=settings.PORT),  # noqa: S104
            websocket_timeout=-1,
            websocket_max_message_size=LARGEST_MESSAGE,
            websocket_max_frame_size=LARGEST_MESSAGE,
            # A dead peer is dropped after both together. Browsers answer pings even for a sleeping tab.
            ping_interval=15,
            ping_timeout=25,
            server_name="chatsite",
            # Daphne would trust the first entry of X-Forwarded-For, which any client can write; settings.py says
            # which one we trust.
            proxy_forwarded_address_header=None,
            **options,
        )
        self.ports: list[Any] = []
        self.door = Door(identify)

    def run(self) -> None:
        log_with_python()
        super().run()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if scope["type"] == "http":
            bodies.set_body_aside(protocol, scope)
        else:
            scope["extensions"] = {"websocket.http.response": {}}
        return super().create_application(protocol, scope)

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        pause_without_descriptors(port)
        self.ws_factory.protocol = WebSocket
        # Twisted would format a line for each request, and write it nowhere.
        self.http_factory.log = lambda request: None
        open_door(self.http_factory, self.door)
        LoopingCall(self.door.close_slow_connections).start(CHECK_EVERY)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Makes the sender wait for a slow reader; Daphne would buffer without limit."""
        # Daphne's checks of a message take longer than writing it.
        if not (isinstance(protocol, Request) and protocol.write_piece(message)):
            await super().handle_reply(protocol, message)
        # Twisted does not notify a task when a buffer empties.
        unsent, stuck_at = 0, 0.0
        while protocol.is_behind:
            left, now = count_unsent(protocol.transport), asyncio.get_running_loop().time()
            if left != unsent:
                unsent, stuck_at = left, now + STUCK_AFTER
            elif now > stuck_at:
                protocol.drop("the reader takes nothing")
            await asyncio.sleep(RECHECK_AFTER)

    def listen_error(self, failure: Any) -> None:
        self.fault = getattr(failure.value, "socketError", None) or OSError(failure.getErrorMessage())
        self.stop()

    def kill_all_applications(self) -> Deferred[None]:
        """Delays Daphne's last step until running work has ended. New connections are refused meanwhile."""
        for port in self.ports:
            port.stopListening()
        finished = Deferred.fromFuture(asyncio.ensure_future(shutdown.finish(settings.SHUTDOWN_GRACE)))
        return finished.addBoth(lambda _: self.kill_the_rest())

    def kill_the_rest(self) -> Deferred[None]:
        # Daphne would stumble over requests that have not arrived completely.
        for protocol, details in [*self.connections.items()]:
            if "application_instance" not in details:
                del self.connections[protocol]
        killed: Deferred[None] = super().kill_all_applications()
        return killed

    def protocol_disconnected(self, protocol: Any) -> None:
        if protocol in self.connections:
            super().protocol_disconnected(protocol)


@cache
def log_with_python() -> None:
    """Sends Twisted's warnings and errors to Python's log. Daphne would throw them away."""
    # Twisted's own classes do not match its types.
    to_python, is_severe = cast(Any, STDLibLogObserver()), cast(Any, LogLevelFilterPredicate(LogLevel.warn))
    globalLogPublisher.addObserver(cast(Any, FilteringLogObserver(to_python, [is_severe])))


def open_door(factory: Any, door: Door) -> None:
    """Makes the factory build connections that share the door."""

    def build() -> Channel:
        channel = Channel()
        channel.door = door
        return channel

    factory.protocol = build
    bodies.leave_unparsed(factory, Request)
