"""Where a tool server is and how it is let in: its settings without its database row."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ToolEndpoint:
    """One MCP server over streamable HTTP. Times are seconds."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 60.0
    """For one call of one tool, all its round trips together."""
    protocol_version: str = ""
    """What was agreed on at the last check: it saves asking what the server cannot answer."""
