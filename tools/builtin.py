"""The registry of built-in tools. Packages above this one register theirs when their app is ready."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.models import User
from tools.names import is_builtin_name
from tools.results import ToolResult


@dataclass(frozen=True)
class CallContext:
    """The person and conversation of a call. It limits what built-in tools can read; servers never receive it."""

    user: User
    conversation_pk: int | None = None


type RunTool = Callable[[CallContext, dict[str, Any]], Awaitable[ToolResult]]


@dataclass(frozen=True, slots=True)
class BuiltinTool:
    """A tool that runs in this process.

    `run` receives arguments that match the schema. If it raises, the model learns only that the tool failed.
    """

    name: str
    title: str
    description: str
    input_schema: Mapping[str, Any]
    run: RunTool = field(repr=False)
    ask_first: bool = False
    allowed: bool = False
    """The initial setting. Administrators can change it, and their choice is kept."""


_registered: dict[str, BuiltinTool] = {}


def register(tool: BuiltinTool) -> BuiltinTool:
    """Adds the tool, or replaces the one with the same name. Call it in `AppConfig.ready`."""
    if not is_builtin_name(tool.name):
        raise ValueError(f"{tool.name!r} cannot name a built-in tool: use lower-case words joined by _")
    _registered[tool.name] = tool
    return tool


def unregister(name: str) -> None:
    _registered.pop(name, None)


def registered_tools() -> Mapping[str, BuiltinTool]:
    """The tools by name, in the order of their registration."""
    return _registered
