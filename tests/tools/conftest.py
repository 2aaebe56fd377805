"""A tool server in its own process, and its database rows."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.tools.drawer import Drawer, running
from tools import builtin
from tools.mcp import farewells
from tools.models import Tool, ToolServer


@pytest.fixture(autouse=True)
async def every_farewell() -> AsyncIterator[None]:
    """Every test waits until the sessions that it opened have ended."""
    yield
    await farewells.wait()


@pytest.fixture(autouse=True)
def only_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test registers its own built-in tools."""
    monkeypatch.setattr(builtin, "_registered", {})


@pytest.fixture(scope="session")
def drawer_process() -> Iterator[Drawer]:
    with running() as drawer:
        yield drawer


@pytest.fixture
def drawer(drawer_process: Drawer) -> Iterator[Drawer]:
    yield drawer_process
    drawer_process.offer(None)


@pytest.fixture
def server(db: None, drawer: Drawer) -> ToolServer:
    """A server that has not been checked yet."""
    return ToolServer.objects.create(name="Drawer", url=drawer.url)


@pytest.fixture
def tool_named(server: ToolServer) -> Callable[..., Tool]:
    """`tool_named("echo")` creates a tool that everyone may use and that runs at once."""

    def named(name: str, **changes: Any) -> Tool:
        fields = {"wire_name": f"drawer__{name}", "input_schema": {"type": "object"}, "is_allowed": True} | changes
        return Tool.objects.create(server=server, name=name, **fields)

    return named
