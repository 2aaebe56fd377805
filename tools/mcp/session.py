"""Talks to an MCP server through the official SDK, with one session for each listing and each call.

Importing the SDK takes most of a second and 35 MB, so `tools.mcp.client` imports this module on first use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mcp import MCPError
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import SessionMessage
from mcp_types import (
    HEADER_MISMATCH,
    PARSE_ERROR,
    CallToolResult,
    Implementation,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from pydantic import ValidationError

from tools.errors import CallRejected, NotAToolServer, TimedOut, ToolServerError
from tools.limits import ToolLimits
from tools.mcp.endpoint import ToolEndpoint
from tools.mcp.filtering import FilteredStream
from tools.mcp.listed import ListedTool, ToolListing
from tools.mcp.progress import OnProgress, describe_progress
from tools.mcp.transport import CANCELLED, ToolTransport
from tools.results import ToolResult, result_from_mcp

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream

_CLIENT_INFO: Final = Implementation(name="chatsite", version="1")
_DETAIL_LENGTH: Final = 500


class _Dispatcher(JSONRPCDispatcher):
    """Leaves cancellations to the transport, because the session ends before the SDK has sent its own."""

    def __init__(
        self, read: FilteredStream, write: WriteStream[SessionMessage], cancel: Callable[[Mapping[str, Any]], None]
    ) -> None:
        super().__init__(read, write)
        self._cancel = cancel

    async def notify(self, method: str, params: Mapping[str, Any] | None, *args: Any, **kwargs: Any) -> None:
        if method == CANCELLED:
            self._cancel(params or {})
        else:
            await super().notify(method, params, *args, **kwargs)


class _Session(ClientSession):
    def __init__(
        self,
        read: ReadStream[SessionMessage | Exception],
        write: WriteStream[SessionMessage],
        transport: ToolTransport,
    ) -> None:
        filtered = FilteredStream(read, lambda: self.protocol_version)
        self.listed, self.transport = filtered.listed, transport
        dispatcher = _Dispatcher(filtered, write, transport.cancel_call)
        super().__init__(dispatcher=dispatcher, client_info=_CLIENT_INFO)

    async def validate_tool_result(self, name: str, result: CallToolResult) -> None:
        """Accepts every result: to check the output schema, the SDK would list all tools at each call."""


async def list_tools(endpoint: ToolEndpoint, limits: ToolLimits) -> ToolListing:
    async def ask(session: _Session) -> ToolListing:
        tools = await _read_all_tools(session, limits)
        info = session.server_info
        names = {tool.name for tool in tools}
        return ToolListing(
            tools=[_read_tool(tool) for tool in tools[: limits.tools]],
            protocol_version=session.protocol_version or "",
            about=f"{info.title or info.name} {info.version}".strip() if info else "",
            left_out=max(0, len(tools) - limits.tools),
            invalid=[name for name in session.listed if name not in names],
        )

    return await _with_session(endpoint, limits, limits.listing, ask)


async def call_tool(
    endpoint: ToolEndpoint, name: str, arguments: dict[str, Any], limits: ToolLimits, on_progress: OnProgress
) -> ToolResult:
    latest = asyncio.get_running_loop().time() + max(limits.longest_call, endpoint.timeout)

    async def ask(session: _Session) -> ToolResult:
        async def take_progress(progress: float, total: float | None, message: str | None) -> None:
            session.transport.extend_deadline(latest)
            on_progress(describe_progress(progress, total, message))

        try:
            result = await session.call_tool(name, arguments, progress_callback=take_progress)
        except MCPError as failure:
            if failure.code != HEADER_MISMATCH:
                raise
            # The server also requires some arguments as headers. The SDK learns which from a listing.
            await _read_all_tools(session, limits)
            result = await session.call_tool(name, arguments, progress_callback=take_progress)
        content = [block.model_dump(by_alias=True, mode="json", exclude_none=True) for block in result.content]
        return result_from_mcp(content, result.structured_content, result.is_error)

    return await _with_session(endpoint, limits, endpoint.timeout, ask)


async def _with_session[Answer](
    endpoint: ToolEndpoint, limits: ToolLimits, seconds: float, ask: Callable[[_Session], Awaitable[Answer]]
) -> Answer:
    """Returns what `ask` returns. Raises a ToolServerError that carries no request, neither itself nor its context."""
    transport: ToolTransport | None = None
    is_connected = False
    try:
        async with asyncio.timeout(seconds) as deadline:
            transport = ToolTransport(endpoint, limits, deadline)
            async with (
                transport.client() as client,
                streamable_http_client(
                    endpoint.url,
                    http_client=client,
                    terminate_on_close=False,
                    max_sse_event_size=limits.answer_size,
                ) as (read, write),
                _Session(read, write, transport) as session,
            ):
                await _negotiate(session, endpoint.protocol_version)
                is_connected = True
                return await ask(session)
    except Exception as error:
        failure = (transport and transport.failure) or _translate_failure(endpoint.name, error, is_connected, transport)
    raise failure


async def _negotiate(session: _Session, known_version: str) -> None:
    """Agrees on the protocol's version: by asking a newer server what it speaks, or by an older one's handshake."""
    if known_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        try:
            await session.discover()
            return
        except (MCPError, ValidationError, RuntimeError):
            # The server does not know the request, or only speaks versions that need the handshake.
            pass
    await session.initialize()


async def _read_all_tools(session: _Session, limits: ToolLimits) -> list[Tool]:
    found: dict[str, Tool] = {}
    cursor: str | None = None
    for _ in range(limits.pages):
        page: ListToolsResult = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        new = {tool.name: tool for tool in page.tools if tool.name not in found}
        found |= new
        cursor = page.next_cursor
        # A server that ignores the cursor sends the same page forever. An empty page does not show that, because all of
        # its entries may have been filtered out.
        if cursor is None or (page.tools and not new) or len(found) > limits.tools:
            break
    return list(found.values())


def _read_tool(tool: Tool) -> ListedTool:
    annotations = tool.annotations
    return ListedTool(
        name=tool.name,
        title=tool.title or (annotations.title if annotations else None) or "",
        description=tool.description or "",
        input_schema=tool.input_schema,
        annotations=annotations.model_dump(by_alias=True, exclude_none=True) if annotations else {},
    )


def _translate_failure(
    name: str, error: Exception, is_connected: bool, transport: ToolTransport | None
) -> ToolServerError:
    """Translates an exception of the SDK."""
    errors = _flatten(error)
    if any(isinstance(each, TimeoutError) for each in errors):
        return TimedOut.at(name)
    reported = next((each.error for each in errors if isinstance(each, MCPError)), None)
    words = " ".join(reported.message.split())[:_DETAIL_LENGTH] if reported and reported.code != PARSE_ERROR else ""
    if not is_connected:
        status = f"HTTP {transport.status}." if transport and transport.status >= 400 else ""
        return NotAToolServer.at(name, detail=status or words)
    if any(isinstance(each, ValidationError) for each in errors):
        return CallRejected(f"{name} sent an answer that does not follow the protocol.")
    if any(isinstance(each, RuntimeError) for each in errors):
        return CallRejected(f"{name} asks for input from a person, which is not supported.")
    return CallRejected.at(name, detail=words)


def _flatten(error: BaseException) -> Sequence[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _flatten(each)]
    return [error]
