"""A process that ends during a tool call cancels the call on its server."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.site import manage
from tests.conversations.answering.tool_wires import calling
from tests.fakes import ModelServer
from tests.installation import Installation
from tests.tools.mcp.wire_server import WireServer, wire_server
from upstreams.endpoint import ProtocolName

ADD_TOOL = """
from tools.models import ToolServer
server = ToolServer.objects.create(name="Wire", url="{url}", protocol_version="2025-06-18")
tool = server.tools.create(
    name="slow", wire_name="wire__slow", input_schema={{"type": "object"}}, is_allowed=True, ask_first=False
)
print("tool", tool.pk)
"""


@pytest.fixture
async def tool_server() -> AsyncIterator[WireServer]:
    async with wire_server("2025-06-18", "session-1") as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_that_ends_cancels_its_calls(tmp_path: Path, tool_server: WireServer, number: int) -> None:
    with ModelServer("anthropic") as model:
        model.stream(*calling(ProtocolName.ANTHROPIC, ("toolu_1", "wire__slow", {})))
        installation = Installation(tmp_path, model)
        try:
            await asyncio.to_thread(installation.__enter__)
            await asyncio.to_thread(ask_with_tool, installation, tool_server.url)
            call = await tool_server.until("tools/call")
            await asyncio.to_thread(installation.end, signal.Signals(number))
            cancelled = await tool_server.until("notifications/cancelled")
            assert cancelled.message["params"]["requestId"] == call.message["id"]
            assert tool_server.methods[-2:] == ["notifications/cancelled", "DELETE"]
        finally:
            await asyncio.to_thread(installation.__exit__)


def ask_with_tool(installation: Installation, url: str) -> None:
    added = manage(installation.data, "shell", "-v", "0", "-c", ADD_TOOL.format(url=url))
    assert added.returncode == 0, added.stderr
    installation.post("/new/settings/", tool_choice="auto", tools=added.stdout.split()[-1])
    installation.ask()
