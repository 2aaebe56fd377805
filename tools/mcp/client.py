"""Asking MCP servers for their tools, and for a tool's work: the door to all calls."""

import asyncio
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tools.limits import LIMITS, Limits
from tools.mcp.endpoint import ToolEndpoint
from tools.results import ToolResult


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool as its server describes it; nothing of it is to be trusted."""

    name: str
    title: str = ""
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    tools: list[ListedTool]
    protocol_version: str = ""
    about: str = ""
    """What the server calls itself, with its version."""
    left_out: int = 0
    """Tools beyond the limit; at least one page more than it was read."""
    faulty: list[str] = field(default_factory=list)
    """The names of entries that are no tools as the protocol has them."""


async def list_tools(endpoint: ToolEndpoint, *, limits: Limits = LIMITS) -> Listing:
    """All tools that the server offers, in its order; raises a ToolServerError."""
    session = await _sdk()
    found = await session.listing(endpoint, limits)
    tools = [
        ListedTool(
            name=tool.name,
            title=tool.title or (tool.annotations.title if tool.annotations else None) or "",
            description=tool.description or "",
            input_schema=tool.input_schema,
            annotations=tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {},
        )
        for tool in found.tools[: limits.tools]
    ]
    return Listing(tools, found.protocol_version, found.about, len(found.tools) - len(tools), found.faulty)


async def call_tool(endpoint: ToolEndpoint, name: str, arguments: dict[str, Any]) -> ToolResult:
    """The tool's result; raises a ToolServerError. Cancelling the task closes the connection at once."""
    session = await _sdk()
    result: ToolResult = await session.call(endpoint, name, arguments)
    return result


async def _sdk() -> Any:
    # In a thread: the first import takes most of a second, in which the loop has others to serve.
    return await asyncio.to_thread(import_module, "tools.mcp.session")
