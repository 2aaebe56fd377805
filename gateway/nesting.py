"""How deeply JSON may be nested: what can be read can be written again, within a few more levels. No I/O."""

from collections.abc import Iterable
from typing import Any, Final

MAX_DEPTH: Final = 200


def is_too_deep(value: Any) -> bool:
    """Whether arrays and objects are nested more than MAX_DEPTH levels deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        # Not recursive: a client decides how deep the value is.
        if not level:
            return False
        level = [inner for each in level for inner in _list_within(each) if isinstance(inner, dict | list)]
    return bool(level)


def _list_within(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
