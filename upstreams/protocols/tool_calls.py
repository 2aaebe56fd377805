"""Ids and inputs of tool calls."""

import re
from typing import Any, Final

import orjson

from upstreams.wire.nesting import load_reply

_FOREIGN: Final = re.compile(r"[^a-zA-Z0-9_-]")


def make_tool_id(id: str) -> str:
    """A tool call's id in the characters that the Messages API allows. `restore_tool_id` returns the original."""
    return id if id and not _FOREIGN.search(id) else f"id_{id.encode('utf-8', 'surrogatepass').hex()}"


def restore_tool_id(made: str) -> str:
    """The id from which `make_tool_id` has made this one; the same id if that never happened."""
    try:
        original = bytes.fromhex(made.removeprefix("id_")).decode("utf-8", "surrogatepass")
    except ValueError:
        return made
    return original if original and make_tool_id(original) == made else made


def parse_input(pieces: str) -> dict[str, Any]:
    """The closing fields of a tool call. Input that is not a JSON object is kept as `raw_input`."""
    try:
        value = load_reply(pieces)
    except orjson.JSONDecodeError:
        value = None
    return {"input": value} if isinstance(value, dict) else {"input": {}, "raw_input": pieces}
