"""Running one tool call for a model: whatever happens comes back as a result."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from asgiref.sync import sync_to_async

from tools import builtin
from tools.arguments import faults
from tools.builtin import BuiltinTool, CallContext
from tools.errors import ToolServerError
from tools.mcp import client
from tools.models import Tool
from tools.results import ToolResult

logger = logging.getLogger(__name__)


async def call(tool: Tool, arguments: Any, context: CallContext) -> ToolResult:
    """Runs a tool that came from `usable_by`, its server with it; only cancelling raises.

    `arguments` are what the model sent, whatever that is. What keeps the tool from running is an
    `is_error` result in words for the model, with the failure's `kind` for whoever shows it.
    """
    if fault := await asyncio.to_thread(faults, tool.input_schema, arguments):
        return _error(f"The arguments do not fit this tool:\n{fault}", "invalid_arguments")
    if tool.server is None:
        declared = builtin.registered().get(tool.name)
        return (
            await _run(declared, tool.timeout, context, arguments)
            if declared
            else _error("This tool is no more.", "gone")
        )
    try:
        endpoint = await sync_to_async(tool.server.endpoint)()
        return await client.call_tool(replace(endpoint, timeout=tool.timeout), tool.name, arguments)
    except ToolServerError as failure:
        words = str(failure).partition(" An administrator")[0]
        return _error(f"{words} {failure.detail}".strip(), failure.kind)


async def _run(tool: BuiltinTool, seconds: float, context: CallContext, arguments: dict[str, Any]) -> ToolResult:
    try:
        async with asyncio.timeout(seconds):
            return await tool.run(context, arguments)
    except TimeoutError:
        return _error(f"{tool.title} did not end in time.", "timed_out")
    except Exception:
        # Its words may hold what the model, and so everybody in the conversation, is not to read.
        logger.exception("The built-in tool %s failed", tool.name)
        return _error(f"{tool.title} failed, by a fault of this site.", "failed")


def _error(words: str, failure: str) -> ToolResult:
    return ToolResult.text(words, is_error=True, failure=failure)
