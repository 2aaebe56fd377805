"""Runs one tool call for a model. Every failure becomes a result that the model can read."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from chatsite.process.threads import database_sync_to_async
from tools import builtin
from tools.arguments import find_argument_faults
from tools.builtin import BuiltinTool, CallContext
from tools.errors import ToolServerError
from tools.mcp import client
from tools.mcp.progress import OnProgress, ignore_progress
from tools.models import Tool
from tools.results import ToolResult
from upstreams.redaction import strip_addresses

logger = logging.getLogger(__name__)


async def run_call(
    tool: Tool, arguments: Any, context: CallContext, on_progress: OnProgress = ignore_progress
) -> ToolResult:
    """Runs a tool that `Tool.objects.usable_by` returned. Raises nothing but `CancelledError`.

    `arguments` may be anything a model sends. If the tool cannot run, the result is an error with words for
    the model, and its `failure` names the kind for the interface. `on_progress` gets the server's progress in words.
    """
    if faults := await asyncio.to_thread(find_argument_faults, tool.input_schema, arguments):
        return _error(f"The arguments do not match the tool's input schema:\n{faults}", "invalid_arguments")
    if tool.server is None:
        builtin_tool = builtin.registered_tools().get(tool.name)
        if builtin_tool is None:
            return _error("This tool no longer exists.", "gone")
        return await _run_builtin(builtin_tool, tool.timeout, context, arguments)
    try:
        endpoint = await database_sync_to_async(tool.server.build_endpoint)()
        return await client.call_tool(replace(endpoint, timeout=tool.timeout), tool.name, arguments, on_progress)
    except ToolServerError as failure:
        # People read the result too, and only administrators may see addresses.
        return _error(f"{failure.summary} {strip_addresses(failure.detail)}".strip(), failure.kind)


async def _run_builtin(
    tool: BuiltinTool, seconds: float, context: CallContext, arguments: dict[str, Any]
) -> ToolResult:
    try:
        async with asyncio.timeout(seconds):
            return await tool.run(context, arguments)
    except TimeoutError:
        return _error(f"{tool.title} did not finish in time.", "timed_out")
    except Exception:
        # The exception's message may contain data that members of the conversation must not read.
        logger.exception("The built-in tool %s failed", tool.name)
        return _error(f"{tool.title} failed because of an internal error.", "failed")


def _error(words: str, failure: str) -> ToolResult:
    return ToolResult.from_text(words, is_error=True, failure=failure)
