"""The HTTP below the SDK. It sets the headers, limits what is read, and turns failures into ToolServerErrors.

Imported with the SDK, on first use.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import httpx2

from tools.errors import (
    AccessDenied,
    AnswerTooLarge,
    NotAToolServer,
    ToolServerError,
    ToolServerFailed,
    ToolServerUnreachable,
)
from tools.limits import ToolLimits
from tools.mcp.endpoint import ToolEndpoint
from upstreams.client.transport import get_tls_context

SESSION_HEADER: Final = "mcp-session-id"
_CONTENT_TYPES: Final = ("application/json", "text/event-stream")
_farewells: set[asyncio.Task[None]] = set()


class ToolTransport(httpx2.AsyncBaseTransport):
    """The connections of one session. The first failure is kept in `failure` and ends the session at once.

    The SDK turns a failure into an exception group, a protocol error or a wait for another attempt, so its cause
    is recorded here, where it first appears.
    """

    def __init__(self, endpoint: ToolEndpoint, limits: ToolLimits, deadline: asyncio.Timeout) -> None:
        self.failure: ToolServerError | None = None
        self.status = 0
        """The status of the last HTTP answer."""
        self._endpoint, self._limits, self._deadline = endpoint, limits, deadline
        self._network = httpx2.AsyncHTTPTransport(verify=get_tls_context(), trust_env=False)
        self._session_id = ""

    def client(self) -> httpx2.AsyncClient:
        """A client that connects directly, without proxies from the environment, redirects or compression."""
        # The headers that the SDK sets per request override these, so an administrator's cannot replace the protocol's.
        headers = self._headers({"accept-encoding": "identity"})
        timeout = httpx2.Timeout(None, connect=self._limits.connect)
        return httpx2.AsyncClient(transport=self, headers=headers, timeout=timeout, trust_env=False)

    def fail(self, failure: ToolServerError) -> httpx2.TransportError:
        """Records the first failure and ends the session. The caller raises the returned exception."""
        if self.failure is None:
            self.failure = failure
            if not self._deadline.expired():
                self._deadline.reschedule(asyncio.get_running_loop().time())
        return httpx2.TransportError(failure.kind)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET" and "last-event-id" not in request.headers:
            return httpx2.Response(405, request=request)
        try:
            response = await self._network.handle_async_request(request)
        except (httpx2.HTTPError, OSError) as error:
            failure = _unreachable(self._endpoint.name, error)
        else:
            self._session_id = response.headers.get(SESSION_HEADER, self._session_id)
            unusable = self._failure_in(response, request.method == "POST")
            if unusable is None:
                assert isinstance(response.stream, httpx2.AsyncByteStream)
                response.stream = _LimitedStream(response.stream, self)
                return response
            await response.aclose()
            failure = unusable
        raise self.fail(failure)

    async def aclose(self) -> None:
        """Closes the connections. If the server keeps a session, a background task ends it first."""
        if not self._session_id:
            await self._network.aclose()
            return
        # The stream of a running call is closed by now, so a cancelled call does not continue behind this task.
        farewell = asyncio.create_task(self._end_session())
        _farewells.add(farewell)
        farewell.add_done_callback(_farewells.discard)

    def check_size(self, size: int) -> None:
        if size > self._limits.answer_size:
            raise self.fail(AnswerTooLarge.at(self._endpoint.name))

    def fail_reading(self, error: Exception) -> httpx2.TransportError:
        return self.fail(_unreachable(self._endpoint.name, error))

    def _failure_in(self, response: httpx2.Response, is_message: bool) -> ToolServerError | None:
        """Returns why the SDK must not see this answer, if so. The SDK itself handles the rejection of one message."""
        name, status = self._endpoint.name, response.status_code
        self.status = status
        if status in (401, 403, 407):
            return AccessDenied.at(name, detail=f"HTTP {status}.")
        if status == 429 or status >= 500:
            return ToolServerFailed.at(name, detail=f"HTTP {status}.")
        if response.has_redirect_location:
            target = response.headers["location"].partition("?")[0][:300]
            return NotAToolServer.at(name, detail=f"It redirects to {target}. Redirects are not followed.")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            return NotAToolServer.at(name, detail="It compresses its answers although the request forbids that.")
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if status == 200 and is_message and content_type not in _CONTENT_TYPES:
            return NotAToolServer.at(name, detail=f"It responded with {content_type or 'no content type'}.")
        return None

    async def _end_session(self) -> None:
        headers = self._headers({SESSION_HEADER: self._session_id})
        request = httpx2.Request("DELETE", self._endpoint.url, headers=headers)
        try:
            with suppress(TimeoutError, httpx2.HTTPError, OSError):
                async with asyncio.timeout(self._limits.farewell):
                    answer = await self._network.handle_async_request(request)
                    await answer.aclose()
        finally:
            await self._network.aclose()

    def _headers(self, ours: dict[str, str]) -> httpx2.Headers:
        headers = httpx2.Headers(dict(self._endpoint.headers))
        headers.update({"user-agent": "chatsite", **ours})
        return headers


async def wait_for_farewells() -> None:
    """Waits until the background tasks of this event loop have ended their sessions."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*[farewell for farewell in _farewells if farewell.get_loop() is loop])


class _LimitedStream(httpx2.AsyncByteStream):
    """A body that fails once it exceeds the limit."""

    def __init__(self, stream: httpx2.AsyncByteStream, transport: ToolTransport) -> None:
        self._stream, self._transport = stream, transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._stream:
                size += len(chunk)
                self._transport.check_size(size)
                yield chunk
        except (httpx2.NetworkError, httpx2.ProtocolError) as error:
            failure = self._transport.fail_reading(error)
        else:
            return
        raise failure

    async def aclose(self) -> None:
        await self._stream.aclose()


def _unreachable(name: str, error: Exception) -> ToolServerError:
    # httpx2 only reports "connect". The exceptions behind it say why.
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 10:
        causes.append(cause)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        detail = "Its host name could not be resolved."
    elif any(isinstance(cause, ssl.SSLError) for cause in causes):
        detail = "The secure connection failed: the server’s certificate is not trusted."
    elif isinstance(error, httpx2.ConnectTimeout):
        detail = "It did not accept the connection in time."
    elif isinstance(error, httpx2.ConnectError):
        detail = "No server responds at its address."
    elif isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        detail = "Its address is not a valid web address."
    else:
        detail = "It closed the connection before its answer was complete."
    return ToolServerUnreachable.at(name, detail=detail)
