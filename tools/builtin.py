"""Tools that the site itself has. Packages above register theirs when they are ready."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.models import User
from tools.names import is_built_in
from tools.results import ToolResult


@dataclass(frozen=True)
class CallContext:
    """Who asks, and where. Built-in tools find through it what the person may read; servers are told nothing of it.

    A package that registers tools may call them with a kind of its own, with more in it.
    """

    user: User
    conversation_pk: int | None = None


type Run = Callable[[CallContext, dict[str, Any]], Awaitable[ToolResult]]


@dataclass(frozen=True, slots=True)
class BuiltinTool:
    """A tool that runs here. `run` gets arguments that fit the schema; what it raises is told to the model in brief."""

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    run: Run = field(repr=False)
    ask_first: bool = False
    allowed: bool = False
    """Whether it is allowed from the start; administrators may decide otherwise, and are obeyed from then on."""


_registered: dict[str, BuiltinTool] = {}


def register(tool: BuiltinTool) -> BuiltinTool:
    """For `AppConfig.ready`. Registering one again, under the same name, replaces it."""
    if not is_built_in(tool.name):
        raise ValueError(f"{tool.name!r} is not a name for a built-in tool: use words in lower case, joined by _")
    _registered[tool.name] = tool
    return tool


def unregister(name: str) -> None:
    _registered.pop(name, None)


def registered() -> Mapping[str, BuiltinTool]:
    """By name, in the order in which they were registered."""
    return _registered
