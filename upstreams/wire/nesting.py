"""How deeply JSON may be nested, and where a value ends that arrives in pieces.

What can be read can be written again, within a few more levels.
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from upstreams.wire.tolerant_json import load

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


class PartialValue:
    """An object or array in JSON that arrives in pieces. It is complete once it has closed all that it opened."""

    def __init__(self) -> None:
        self._depth = 0
        self._has_begun = self._is_in_string = self._is_escaped = False

    @property
    def is_complete(self) -> bool:
        return self._has_begun and not self._depth

    def read(self, piece: str) -> None:
        for character in piece:
            self._take(character)

    def find_end(self, piece: str) -> int:
        """Reads the next piece up to the end of the value. Returns the length of what belongs to it."""
        for place, character in enumerate(piece):
            self._take(character)
            if self.is_complete:
                return place + 1
        return len(piece)

    def _take(self, character: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif character == "\\":
            self._is_escaped = self._is_in_string
        elif character == '"':
            self._is_in_string = not self._is_in_string
        elif not self._is_in_string and character in "{[":
            self._depth, self._has_begun = self._depth + 1, True
        elif not self._is_in_string and character in "}]":
            self._depth -= 1
