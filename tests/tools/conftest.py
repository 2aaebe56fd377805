"""A tool server that the tests start, and the rows of one."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tools import wire
from tools.endpoint import ToolEndpoint
from tools.models import Tool, ToolServer

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Drawer:
    """The server process of `mcp_server.py`, and what it saw."""

    address: str

    @property
    def url(self) -> str:
        return self.at("/mcp")

    def at(self, path: str) -> str:
        return self.address + path

    def endpoint(self, path: str = "/mcp", **changes: Any) -> ToolEndpoint:
        return ToolEndpoint(**{"name": "Drawer", "url": self.at(path), "timeout": 20.0, **changes})

    def seen(self) -> list[list[str]]:
        seen: list[list[str]] = self._ask("/seen")
        return seen

    async def saw(self, what: str, name: str) -> None:
        """Returns when it has seen that a slow call began, or was cancelled."""
        await asyncio.to_thread(self._ask, f"/until?{urlencode({'what': what, 'name': name})}")

    def offer(self, tools: list[dict[str, Any]] | None) -> None:
        """What it lists from now on; None: what it does by itself."""
        self._ask("/tools", json.dumps(tools).encode())

    def end(self, name: str) -> None:
        """Lets the slow call of that name end."""
        self._ask(f"/end?{urlencode({'name': name})}")

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(urllib.request.Request(self.at(path), body), timeout=20) as answer:
            return json.load(answer)


@pytest.fixture(autouse=True)
async def farewells() -> AsyncIterator[None]:
    """No test ends in the middle of what it tells a server behind everybody's back."""
    yield
    await wire.farewells_said()


@pytest.fixture(scope="session")
def drawer_process() -> Iterator[Drawer]:
    command = [sys.executable, "-m", "tests.tools.mcp_server"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Drawer(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def drawer(drawer_process: Drawer) -> Iterator[Drawer]:
    yield drawer_process
    drawer_process.offer(None)


@pytest.fixture
def server(db: None, drawer: Drawer) -> ToolServer:
    """Known, but not yet checked."""
    return ToolServer.objects.create(name="Drawer", url=drawer.url)


@pytest.fixture
def tool_named(server: ToolServer) -> Callable[..., Tool]:
    """`tool_named("echo")` is one that everybody may use, at once."""

    def named(name: str, **changes: Any) -> Tool:
        fields = {"wire_name": f"drawer__{name}", "input_schema": {"type": "object"}, "is_allowed": True} | changes
        return Tool.objects.create(server=server, name=name, **fields)

    return named
