"""A tool server's connection settings, without its database row."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ToolEndpoint:
    """One MCP server over streamable HTTP. Times are seconds."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 60.0
    """For one tool call with all its round trips."""
    protocol_version: str = ""
    """The version found by the last check. It saves a request that an older server cannot answer."""
