"""A conversation with an MCP server by the official SDK: one session for each listing and each call.

Importing the SDK takes most of a second and 35 MB, so `tools.mcp` imports this module on first use.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp import MCPError
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._stream_protocols import ReadStream, WriteStream
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

from tools.errors import CallRefused, NotAToolServer, TimedOut, ToolServerError
from tools.limits import LIMITS, Limits
from tools.mcp.endpoint import ToolEndpoint
from tools.mcp.sifting import SiftedStream
from tools.mcp.wire import Wire
from tools.results import ToolResult, from_mcp

_WHO_ASKS: Final = Implementation(name="chatsite", version="1")
_DETAIL: Final = 500


class _Session(ClientSession):
    def __init__(self, read: ReadStream[SessionMessage | Exception], write: WriteStream[SessionMessage]) -> None:
        sifted = SiftedStream(read, lambda: self.protocol_version)
        self.listed = sifted.listed
        super().__init__(sifted, write, client_info=_WHO_ASKS)

    async def validate_tool_result(self, name: str, result: CallToolResult) -> None:
        """A result that ran is passed on; checking it against the output schema costs a listing for each call."""


@dataclass(frozen=True, slots=True)
class Found:
    """The server's tools in its order, the names of what is none in its list, and how it introduced itself."""

    tools: list[Tool]
    faulty: list[str]
    protocol_version: str
    about: str


async def listing(endpoint: ToolEndpoint, limits: Limits) -> Found:
    async def ask(session: _Session) -> Found:
        tools = await _all_tools(session, limits)
        about = session.server_info
        title = f"{about.title or about.name} {about.version}".strip() if about else ""
        names = {tool.name for tool in tools}
        faulty = [name for name in session.listed if name not in names]
        return Found(tools, faulty, session.protocol_version or "", title)

    return await _with_session(endpoint, limits, limits.listing, ask)


async def call(endpoint: ToolEndpoint, name: str, arguments: dict[str, Any]) -> ToolResult:
    async def ask(session: _Session) -> ToolResult:
        try:
            result = await session.call_tool(name, arguments)
        except MCPError as failure:
            if failure.code != HEADER_MISMATCH:
                raise
            # The server wants some arguments as headers too, which the SDK learns from a listing.
            await _all_tools(session, LIMITS)
            result = await session.call_tool(name, arguments)
        content = [block.model_dump(by_alias=True, mode="json", exclude_none=True) for block in result.content]
        return from_mcp(content, result.structured_content, result.is_error)

    return await _with_session(endpoint, LIMITS, endpoint.timeout, ask)


async def _with_session[Answer](
    endpoint: ToolEndpoint, limits: Limits, seconds: float, ask: Callable[[_Session], Awaitable[Answer]]
) -> Answer:
    """What `ask` returns, or a ToolServerError; neither it nor its context holds the request."""
    wire: Wire | None = None
    is_agreed = False
    try:
        async with asyncio.timeout(seconds) as deadline:
            wire = Wire(endpoint, limits, deadline)
            async with (
                wire.client() as client,
                streamable_http_client(
                    endpoint.url,
                    http_client=client,
                    terminate_on_close=False,
                    max_sse_event_size=limits.answer_size,
                ) as (read, write),
                _Session(read, write) as session,
            ):
                await _agree(session, endpoint.protocol_version)
                is_agreed = True
                return await ask(session)
    except Exception as error:
        failure = (wire and wire.failure) or _failure(endpoint.name, error, is_agreed, wire)
    raise failure


async def _agree(session: _Session, known: str) -> None:
    """Settles the protocol's version: newer servers are asked what they speak, older ones shake hands."""
    if known not in HANDSHAKE_PROTOCOL_VERSIONS:
        try:
            await session.discover()
            return
        except (MCPError, ValidationError, RuntimeError):
            # It does not know the question, or speaks only what a handshake settles.
            pass
    await session.initialize()


async def _all_tools(session: _Session, limits: Limits) -> list[Tool]:
    found: dict[str, Tool] = {}
    cursor: str | None = None
    for _ in range(limits.pages):
        page: ListToolsResult = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        new = {tool.name: tool for tool in page.tools if tool.name not in found}
        found |= new
        cursor = page.next_cursor
        # A server that ignores the cursor would send the same page for ever; of a page there may be nothing to keep.
        if cursor is None or (page.tools and not new) or len(found) > limits.tools:
            break
    return list(found.values())


def _failure(name: str, error: Exception, is_agreed: bool, wire: Wire | None) -> ToolServerError:
    """The failure that the SDK reports, in our words."""
    errors = _leaves(error)
    if any(isinstance(each, TimeoutError) for each in errors):
        return TimedOut.at(name)
    said = next((each.error for each in errors if isinstance(each, MCPError)), None)
    words = " ".join(said.message.split())[:_DETAIL] if said and said.code != PARSE_ERROR else ""
    if not is_agreed:
        status = f"HTTP {wire.status}." if wire and wire.status >= 400 else ""
        return NotAToolServer.at(name, detail=status or words)
    if any(isinstance(each, ValidationError) for each in errors):
        return CallRefused(f"{name} answered with something that the protocol does not know.")
    if any(isinstance(each, RuntimeError) for each in errors):
        return CallRefused(f"{name} asks for input from a person, which is not possible here.")
    return CallRefused.at(name, detail=words)


def _leaves(error: BaseException) -> Sequence[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
