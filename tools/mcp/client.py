"""Lists and calls the tools of MCP servers. Everything outside this package enters here."""

import asyncio
from importlib import import_module
from typing import Any

from tools.limits import LIMITS, ToolLimits
from tools.mcp.endpoint import ToolEndpoint
from tools.mcp.listed import ToolListing
from tools.mcp.progress import OnProgress, ignore_progress
from tools.results import ToolResult


async def list_tools(endpoint: ToolEndpoint, *, limits: ToolLimits = LIMITS) -> ToolListing:
    """The tools that the server offers, up to the limit. Raises ToolServerError."""
    session = await _import_session()
    listing: ToolListing = await session.list_tools(endpoint, limits)
    return listing


async def call_tool(
    endpoint: ToolEndpoint,
    name: str,
    arguments: dict[str, Any],
    on_progress: OnProgress = ignore_progress,
    *,
    limits: ToolLimits = LIMITS,
) -> ToolResult:
    """The tool's result. Raises ToolServerError.

    Each progress that the server reports grants the call its time again, up to the limit for the longest call, and is
    passed to `on_progress` in words. Cancelling the task closes the connection at once and cancels the call on the
    server in the background.
    """
    session = await _import_session()
    result: ToolResult = await session.call_tool(endpoint, name, arguments, limits, on_progress)
    return result


async def _import_session() -> Any:
    # In a thread, because the first import takes most of a second and would block the event loop.
    return await asyncio.to_thread(import_module, "tools.mcp.session")
