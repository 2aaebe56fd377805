"""The HTTP below the SDK. It sets the headers, limits what is read, and turns failures into ToolServerErrors.

Imported with the SDK, on first use.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final

import httpx2
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from tools.errors import (
    AccessDenied,
    AnswerTooLarge,
    NotAToolServer,
    ToolServerError,
    ToolServerFailed,
    ToolServerUnreachable,
)
from tools.limits import ToolLimits
from tools.mcp import farewells
from tools.mcp.endpoint import ToolEndpoint
from upstreams.client.transport import get_tls_context

CANCELLED: Final = "notifications/cancelled"
SESSION_HEADER: Final = "mcp-session-id"
_CONTENT_TYPES: Final = ("application/json", "text/event-stream")
_REJECTIONS: Final = (AccessDenied, NotAToolServer, ToolServerFailed)


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
        self._session_id = self._protocol_version = ""
        self._cancellation: Mapping[str, Any] | None = None

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

    def extend_deadline(self, latest: float) -> None:
        """Grants the running call its whole time again, but not beyond `latest` on the event loop's clock."""
        if self.failure is None and not self._deadline.expired():
            now = asyncio.get_running_loop().time()
            self._deadline.reschedule(min(now + self._endpoint.timeout, latest))

    def cancel_call(self, params: Mapping[str, Any]) -> None:
        """Cancels the running call once its connection is closed. `params` are those of the notification."""
        if not isinstance(self.failure, _REJECTIONS):
            self._cancellation = params

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET" and "last-event-id" not in request.headers:
            return httpx2.Response(405, request=request)
        self._protocol_version = request.headers.get(MCP_PROTOCOL_VERSION_HEADER, self._protocol_version)
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
        """Closes the connections. If the server has to know about the end, a background task informs it first."""
        if requests := self._last_requests():
            farewells.start(self._say_farewell(requests))
        else:
            await self._network.aclose()

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

    def _last_requests(self) -> list[httpx2.Request]:
        """Cancels the call that is still running, and ends the session, in versions that know these messages.

        In newer versions, closing the connection of a call cancels it.
        """
        ours = {MCP_PROTOCOL_VERSION_HEADER: self._protocol_version, SESSION_HEADER: self._session_id}
        headers = self._headers({name: value for name, value in ours.items() if value})
        requests = []
        if self._cancellation is not None and self._protocol_version not in MODERN_PROTOCOL_VERSIONS:
            message = {"jsonrpc": "2.0", "method": CANCELLED, "params": dict(self._cancellation)}
            posted = httpx2.Headers({**headers, "accept": ", ".join(_CONTENT_TYPES)})
            requests.append(httpx2.Request("POST", self._endpoint.url, headers=posted, json=message))
        if self._session_id:
            requests.append(httpx2.Request("DELETE", self._endpoint.url, headers=headers))
        return requests

    async def _say_farewell(self, requests: list[httpx2.Request]) -> None:
        try:
            with suppress(TimeoutError, httpx2.HTTPError, OSError):
                async with asyncio.timeout(self._limits.farewell):
                    for request in requests:
                        answer = await self._network.handle_async_request(request)
                        await answer.aclose()
        finally:
            await self._network.aclose()

    def _headers(self, ours: dict[str, str]) -> httpx2.Headers:
        headers = httpx2.Headers(dict(self._endpoint.headers))
        headers.update({"user-agent": "chatsite", **ours})
        return headers


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
