"""Ids of tool calls in the characters that the Messages API allows."""

import re
from typing import Final

_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")


def make_tool_id(id: str) -> str:
    """The same id always gives the same result, and another one another. `restore_tool_id` returns the original."""
    return id if id and not _FOREIGN.search(id) else f"id_{id.encode('utf-8', 'surrogatepass').hex()}"


def restore_tool_id(made: str) -> str:
    """The id from which `make_tool_id` has made this one; the same id if that never happened."""
    try:
        original = bytes.fromhex(made.removeprefix("id_")).decode("utf-8", "surrogatepass")
    except ValueError:
        return made
    return original if original and make_tool_id(original) == made else made
