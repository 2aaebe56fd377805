"""A server's own description of its tools. None of it can be trusted."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ListedTool:
    name: str
    title: str = ""
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolListing:
    """A server's tools in its order, and how the server describes itself."""

    tools: list[ListedTool]
    protocol_version: str = ""
    about: str = ""
    """The server's name and version."""
    left_out: int = 0
    """The number of known tools beyond the limit. Reading ends with the page that exceeds it."""
    invalid: list[str] = field(default_factory=list)
    """The names of entries that do not follow the protocol."""
