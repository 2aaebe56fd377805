"""A connection that speaks HTTP: what it may send, and how slowly.

Daphne takes in a whole body before the application sees the request, so what a client may not send is refused here,
before it is on the disk.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings

from chatsite.logs.request_ids import make_request_id, set_request_id
from chatsite.serving.refusing import ConnectionState, RefusingChannel
from chatsite.serving.visitors import Strangers, UploadSpace, read_network
from chatsite.values import figures

logger = logging.getLogger(__name__)

type Identify = Callable[[Mapping[str, str]], Awaitable[int | None]]
"""Returns the key of the person whose session or API key the headers of a request carry."""

CREDENTIALS: Final = (b"cookie", b"authorization", b"x-api-key")
SLOWEST: Final = 1000
"""Bytes per second below which a body is given up."""
LINGER: Final = 5.0
"""Seconds in which a client can read the answer to a request that it has not sent completely."""
MOST_DISCARDED: Final = 16_000_000
"""Bytes of such a request that are read and discarded. A connection that closes at once would lose the answer."""
CHUNK_COST: Final = 50
"""Bytes that a chunk of a stranger counts for, beside its own: reading one of a single byte takes as long."""


async def identify_nobody(headers: Mapping[str, str]) -> int | None:
    return None


class Door:
    """What the connections of a server share."""

    def __init__(self, identify: Identify = identify_nobody) -> None:
        self.identify = identify
        self.strangers, self.space = Strangers(), UploadSpace()
        self.open: set[Channel] = set()

    def close_slow_connections(self) -> None:
        now = time.monotonic()
        for channel in [*self.open]:
            channel.check_pace(now)


class Channel(RefusingChannel):
    door: Door
    length: int | None = 0
    """The size of the body. A body in chunks has none."""
    network = ""
    limit: int | None = None
    """Bytes that the body may have, if its sender is a stranger."""
    person: int | None = None
    """Who sends the request, if the server had to find out."""
    space = 0
    _check: asyncio.Future[None] | None = None

    # ------------------------------------------------------------ the connection

    def connectionMade(self) -> None:
        super().connectionMade()
        self.door.open.add(self)
        self.network = "" if settings.BEHIND_PROXY else read_network(str(self.transport.getPeer().host))
        self.door.strangers.add(self, self.network)
        self.door.strangers.make_room(self)

    def connectionLost(self, reason: Any) -> None:
        self.let_go()
        super().connectionLost(reason)

    def let_go(self) -> None:
        """Stops counting the connection: it has ended, or becomes a WebSocket."""
        self.door.open.discard(self)
        self.door.strangers.remove(self)
        self.free_space()
        if self._check:
            self._check.cancel()

    def free_space(self) -> None:
        if self.person is not None and self.space:
            self.door.space.free(self.person, self.space)
        self.space = 0

    @property
    def can_make_way(self) -> bool:
        return self.state not in (ConnectionState.CHECK, ConnectionState.WORK)

    def make_way(self) -> None:
        """Closes the connection for a more active one."""
        match self.state:
            case ConnectionState.LEAVING:
                self.transport.abortConnection()
            case ConnectionState.HEADERS | ConnectionState.BODY:
                self.refuse_crowd()
                super().loseConnection()
            case _:
                self.enter(ConnectionState.LEAVING)
                super().loseConnection()

    def check_pace(self, now: float) -> None:
        """Gives up a request that arrives too slowly."""
        if now - self.since < (LINGER if self.state is ConnectionState.LEAVING else settings.REQUEST_TIMEOUT):
            return
        match self.state:
            case ConnectionState.HEADERS:
                self.refuse(HTTPStatus.REQUEST_TIMEOUT, "The headers of the request took too long to arrive.")
            case ConnectionState.BODY if self.received < SLOWEST * settings.REQUEST_TIMEOUT:
                self.refuse(HTTPStatus.REQUEST_TIMEOUT, "The body of the request arrived too slowly.")
            case ConnectionState.BODY:
                self.enter(ConnectionState.BODY)
            case ConnectionState.LEAVING if not self.requests or not self._handlingRequest:
                self.transport.abortConnection()

    # ------------------------------------------------------------ a request

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        if self.state is ConnectionState.LEAVING:
            if self.received > MOST_DISCARDED:
                self.transport.abortConnection()
            return
        if self.state is ConnectionState.IDLE:
            self.enter(ConnectionState.HEADERS)
        self.door.strangers.touch(self)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        """Lets the request in if any stranger may send it. Otherwise finds out first who its sender is."""
        if self.state is ConnectionState.LEAVING:
            return
        headers = self.requests[-1].requestHeaders
        if settings.BEHIND_PROXY:
            forwarded = (headers.getRawHeaders(b"x-forwarded-for") or [b""])[-1]
            self.network = read_network(forwarded.rpartition(b",")[2].strip().decode("latin-1"))
            self.door.strangers.add(self, self.network)
        has_credentials = any(headers.hasHeader(name) for name in CREDENTIALS)
        is_small = self.length is not None and self.length <= settings.STRANGER_BODY_SIZE
        has_room = self.door.strangers.make_room(self)
        # Nobody can vouch for chunks without credentials: they are counted as they arrive.
        is_counted = self.length is None and not has_credentials
        if self.person is None and not (has_room and (is_small or is_counted)):
            self.enter(ConnectionState.CHECK)
            self.paused = True
            self._networkProducer.pauseProducing()
            self._check = asyncio.ensure_future(self.check_sender(has_credentials, is_small))
        else:
            self.let_in()

    async def check_sender(self, has_credentials: bool, is_small: bool) -> None:
        request = self.requests[-1]
        if has_credentials:
            pairs = request.requestHeaders.getAllRawHeaders()
            headers = {name.lower().decode("latin-1"): b"; ".join(values).decode("latin-1") for name, values in pairs}
            try:
                async with asyncio.timeout(settings.REQUEST_TIMEOUT):
                    self.person = await self.door.identify(headers)
            except Exception:
                set_request_id(id := make_request_id())
                logger.exception("Could not find out who sends a request")
                self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "The site cannot reach its database. Try again soon.", id)
                return
        if self.person is not None:
            self.door.strangers.remove(self)
        elif not self.door.strangers.make_room(self):
            self.refuse_crowd()
            return
        elif not is_small and self.length is not None:
            self.turn_body_away(has_credentials)
            return
        self.proceed()

    def proceed(self) -> None:
        """Continues with a request whose sender is known now."""
        self.paused = False
        if not self.let_in():
            return
        if not self._waitingForTransport:
            self._networkProducer.resumeProducing()
        if self.length == 0:
            self.allContentReceived()
        super().dataReceived(b"")

    def let_in(self) -> bool:
        """Begins with the body, unless there is no space for it. Returns whether it did."""
        self.limit = settings.STRANGER_BODY_SIZE if self.person is None else None
        self.enter(ConnectionState.BODY)
        if self.length is not None and self.length > settings.STRANGER_BODY_SIZE and not self.take_space(self.length):
            return False
        super().allHeadersReceived()
        return True

    def take_space(self, size: int) -> bool:
        """Takes space for a body, or refuses the request."""
        most = max(settings.REQUEST_SIZE, settings.GATEWAY_BODY_SIZE)
        size = min(size, most - self.space) if self.length is None or self.length <= most else 0
        if self.person is None or self.door.space.take(self.person, size):
            self.space += size
            return True
        words = "Too many files are on their way to this site. Try again in a minute."
        self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, words)
        return False

    def turn_body_away(self, has_credentials: bool) -> None:
        """Refuses the body of a stranger.

        With credentials, which may have expired, the site answers as it would to the whole request, so that a page
        can ask for the password in place.
        """
        if not has_credentials:
            self.refuse_too_large()
            return
        request = self.requests[-1]
        request.requestHeaders.removeHeader(b"expect")
        request.requestHeaders.setRawHeaders(b"content-length", [b"0"])
        self.length = 0
        super().allHeadersReceived()
        self.persistent = False
        request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        self.discard()
        super().allContentReceived()

    def refuse_crowd(self) -> None:
        self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections. Try again in a moment.")

    def refuse_too_large(self) -> None:
        most = figures.size(settings.STRANGER_BODY_SIZE)
        words = f"Sign in first: without signing in, a request can have at most {most}."
        self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)

    def take_piece(self, size: int) -> bool:
        """Whether the request may take in this much more of its body. Refuses the request otherwise."""
        if self.state is ConnectionState.LEAVING:
            return False
        request = self.requests[-1]
        received = request.received + (CHUNK_COST * request.pieces if self.length is None else 0)
        if self.limit is not None and received > self.limit:
            self.refuse_too_large()
            return False
        return self.length is not None or self.take_space(size)

    def allContentReceived(self) -> None:
        if self.state in (ConnectionState.CHECK, ConnectionState.LEAVING):
            return
        self.enter(ConnectionState.WORK)
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        self.free_space()
        if self.state is not ConnectionState.LEAVING:
            # The session may have ended before the next request, and a proxy's may be somebody else's.
            self.person = None
            if settings.BEHIND_PROXY:
                self.door.strangers.add(self, "")
            self.enter(ConnectionState.HEADERS if self._dataBuffer else ConnectionState.IDLE)
        super().requestDone(request)
