"""The tests' tool server as a process, and its record of calls."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tools.mcp.endpoint import ToolEndpoint

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Drawer:
    """The server process of `mcp_server.py`, and its record of calls."""

    address: str

    @property
    def url(self) -> str:
        return self.at("/mcp")

    def at(self, path: str) -> str:
        return self.address + path

    def build_endpoint(self, path: str = "/mcp", **changes: Any) -> ToolEndpoint:
        return ToolEndpoint(**{"name": "Drawer", "url": self.at(path), "timeout": 20.0, **changes})

    def seen(self) -> list[list[str]]:
        seen: list[list[str]] = self._ask("/seen")
        return seen

    async def saw(self, what: str, name: str) -> None:
        """Returns once a slow call has begun or has been cancelled."""
        await asyncio.to_thread(self._ask, f"/until?{urlencode({'what': what, 'name': name})}")

    def offer(self, tools: list[dict[str, Any]] | None) -> None:
        """Sets the tools that it lists; None restores the original ones."""
        self._ask("/tools", json.dumps(tools).encode())

    def lists(self, entries: list[Any]) -> None:
        """Sets the entries that it lists at /careless, valid or not."""
        self._ask("/entries", json.dumps(entries).encode())

    def end(self, name: str) -> None:
        """Ends the slow call of that name."""
        self._ask(f"/end?{urlencode({'name': name})}")

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(urllib.request.Request(self.at(path), body), timeout=20) as answer:
            return json.load(answer)


@contextmanager
def running() -> Iterator[Drawer]:
    command = [sys.executable, "-m", "tests.tools.mcp_server"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Drawer(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.terminate()
        process.wait(20)
