"""The HTTP below the SDK: what is sent to a tool server, how much is read of it, and its failures by name.

Imported with the SDK, on first use.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import httpx2

from tools.errors import NotAToolServer, Refused, ServerFailed, TooLarge, ToolServerError, Unreachable
from tools.limits import Limits
from tools.mcp.endpoint import ToolEndpoint
from upstreams.client.transport import tls

SESSION: Final = "mcp-session-id"
_KINDS: Final = ("application/json", "text/event-stream")
_farewells: set[asyncio.Task[None]] = set()


class Wire(httpx2.AsyncBaseTransport):
    """One session's connections. The first failure is kept, and ends the session at once.

    The SDK turns every failure into an exception group, a protocol error or a wait for
    another attempt; so the reason is noted here, where it is seen first.
    """

    def __init__(self, endpoint: ToolEndpoint, limits: Limits, deadline: asyncio.Timeout) -> None:
        self.failure: ToolServerError | None = None
        self.has_answered = False
        """Something that may be the protocol came back, at least once."""
        self.status = 0
        self._endpoint, self._limits, self._deadline = endpoint, limits, deadline
        self._network = httpx2.AsyncHTTPTransport(verify=tls(), trust_env=False)
        self._session_id = ""

    def client(self) -> httpx2.AsyncClient:
        """Goes straight to the address: no proxy from the environment, no redirects, nothing packed."""
        # What the SDK sets per request wins, so no header entered by hand can pose as the protocol's.
        headers = httpx2.Headers(dict(self._endpoint.headers))
        headers.update({"user-agent": "chatsite", "accept-encoding": "identity"})
        timeout = httpx2.Timeout(None, connect=self._limits.connect)
        return httpx2.AsyncClient(transport=self, headers=headers, timeout=timeout, trust_env=False)

    def fail(self, failure: ToolServerError) -> httpx2.TransportError:
        """Notes the first failure and ends the session; returns what is to be raised here."""
        if self.failure is None:
            self.failure = failure
            if not self._deadline.expired():
                self._deadline.reschedule(asyncio.get_running_loop().time())
        return httpx2.TransportError(failure.kind)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET" and "last-event-id" not in request.headers:
            # A stream for what a server says unasked: nothing of that is wanted here.
            return httpx2.Response(405, request=request)
        try:
            response = await self._network.handle_async_request(request)
        except (httpx2.HTTPError, OSError) as error:
            failure = _unreachable(self._endpoint.name, error)
        else:
            self._session_id = response.headers.get(SESSION, self._session_id)
            failed = self._fault(response, request.method == "POST")
            if failed is None:
                assert isinstance(response.stream, httpx2.AsyncByteStream)
                response.stream = _Measured(response.stream, self)
                return response
            await response.aclose()
            failure = failed
        raise self.fail(failure)

    async def aclose(self) -> None:
        """Closes the connections; where the server keeps sessions it is told first, while nobody waits for that."""
        if not self._session_id:
            await self._network.aclose()
            return
        # What a call was still reading is closed already, so this keeps nothing running that was stopped.
        farewell = asyncio.create_task(self._say_farewell())
        _farewells.add(farewell)
        farewell.add_done_callback(_farewells.discard)

    def measure(self, size: int) -> None:
        if size > self._limits.answer_size:
            raise self.fail(TooLarge.at(self._endpoint.name))

    def broken(self, error: Exception) -> httpx2.TransportError:
        return self.fail(_unreachable(self._endpoint.name, error))

    def _fault(self, response: httpx2.Response, is_message: bool) -> ToolServerError | None:
        """What keeps this answer from being passed on; a plain refusal of one message is for the SDK to read."""
        name, self.status = self._endpoint.name, response.status_code
        if response.status_code in (401, 403, 407):
            return Refused.at(name, detail=f"HTTP {response.status_code}.")
        if response.status_code == 429 or response.status_code >= 500:
            return ServerFailed.at(name, detail=f"HTTP {response.status_code}.")
        if response.has_redirect_location:
            place = response.headers["location"].partition("?")[0][:300]
            return NotAToolServer.at(name, detail=f"It leads on to {place}, which is not followed.")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return NotAToolServer.at(name, detail="It packs its answers although asked not to.")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code == 200 and kind in _KINDS:
            self.has_answered = True
        elif response.status_code == 200 and is_message:
            return NotAToolServer.at(name, detail=f"It answered with {kind or 'no content type'}.")
        return None

    async def _say_farewell(self) -> None:
        headers = httpx2.Headers(dict(self._endpoint.headers))
        headers.update({"user-agent": "chatsite", SESSION: self._session_id})
        request = httpx2.Request("DELETE", self._endpoint.url, headers=headers)
        try:
            with suppress(TimeoutError, httpx2.HTTPError, OSError):
                async with asyncio.timeout(self._limits.farewell):
                    answer = await self._network.handle_async_request(request)
                    await answer.aclose()
        finally:
            await self._network.aclose()


async def farewells_said() -> None:
    """Waits for what this loop's servers are told while nobody waits for it."""
    here = asyncio.get_running_loop()
    await asyncio.gather(*[farewell for farewell in _farewells if farewell.get_loop() is here])


class _Measured(httpx2.AsyncByteStream):
    """A body that is read up to the limit."""

    def __init__(self, stream: httpx2.AsyncByteStream, wire: Wire) -> None:
        self._stream, self._wire = stream, wire

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._stream:
                size += len(chunk)
                self._wire.measure(size)
                yield chunk
        except (httpx2.NetworkError, httpx2.ProtocolError) as error:
            failure = self._wire.broken(error)
        else:
            return
        raise failure

    async def aclose(self) -> None:
        await self._stream.aclose()


def _unreachable(name: str, error: Exception) -> ToolServerError:
    """httpx only says "connect"; the causes below it know more."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 10:
        causes.append(cause)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        detail = "Its host is unknown here."
    elif any(isinstance(cause, ssl.SSLError) for cause in causes):
        detail = "The secure connection failed: its certificate is not trusted."
    elif isinstance(error, httpx2.ConnectTimeout):
        detail = "It did not take the connection in time."
    elif isinstance(error, httpx2.ConnectError):
        detail = "No server answers at its address."
    elif isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        detail = "Its address is not a web address."
    else:
        detail = "It closed the connection without a whole answer."
    return Unreachable.at(name, detail=detail)
