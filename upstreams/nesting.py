"""How deeply JSON may be nested. What can be read can be written again, within a few more levels."""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from upstreams.tolerant_json import load

MAX_DEPTH: Final = 200
"""Levels of arrays and objects in a request."""
MAX_REPLY_DEPTH: Final = 150
"""Levels in a reply, which clients send back within a request."""


def load_reply(text: bytes | str) -> Any:
    """Raises orjson.JSONDecodeError also if the JSON is nested too deeply."""
    value = load(text)
    if is_too_deep(value, MAX_REPLY_DEPTH):
        raise orjson.JSONDecodeError("nested too deeply", "", 0)
    return value


def is_too_deep(value: Any, depth: int) -> bool:
    """Whether arrays and objects are nested in more levels than `depth`."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        if not level:
            return False
        # Not recursive: the sender decides how deep the value is.
        level = [inner for each in level for inner in _list_within(each) if isinstance(inner, dict | list)]
    return bool(level)


def _list_within(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
