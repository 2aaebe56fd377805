"""Ids and inputs of tool calls."""

import re
from hashlib import sha256
from typing import Any, Final

import orjson

from upstreams.wire.nesting import load_reply

_ACCEPTED: Final = re.compile(r"[a-zA-Z0-9_-]{1,40}")


def make_accepted_id(call_id: str) -> str:
    """An id that servers of both protocols accept in another server's call. The same id always gives the same one."""
    if _ACCEPTED.fullmatch(call_id):
        return call_id
    return f"call_{sha256(call_id.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def parse_input(pieces: str) -> dict[str, Any]:
    """The closing fields of a tool call. Input that is not a JSON object is kept as `raw_input`."""
    try:
        value = load_reply(pieces)
    except orjson.JSONDecodeError:
        value = None
    return {"input": value} if isinstance(value, dict) else {"input": {}, "raw_input": pieces}
