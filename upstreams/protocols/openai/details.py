"""The `reasoning_details` of a Chat Completions reply: thinking with signatures, and encrypted thinking."""

from collections.abc import Iterable
from typing import Any, Final

DETAILS: Final = "reasoning_details"
_GROWING: Final = ("text", "summary")


class ReasoningDetails:
    """Joins streamed entries, and keeps apart what may be different ones.

    Each piece has the index of its entry. Readable text without an index continues the last entry. Entries of one list,
    those with different ids, and encrypted data are never joined.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, pieces: Iterable[dict[str, Any]]) -> int:
        """Adds the pieces of one list. Returns how many characters they have."""
        size, earlier = 0, list(self.entries)
        for piece in pieces:
            size += sum(len(value) for value in piece.values() if isinstance(value, str))
            candidates = earlier[-1:] if piece.get("index") is None else earlier
            if entry := next((each for each in candidates if _continues(piece, each)), None):
                _join(entry, piece)
            else:
                self.entries.append(dict(piece))
        return size


def _continues(piece: dict[str, Any], entry: dict[str, Any]) -> bool:
    is_alike = (entry.get("type"), entry.get("index")) == (piece.get("type"), piece.get("index"))
    ids = {each["id"] for each in (entry, piece) if isinstance(each.get("id"), str)}
    return is_alike and len(ids) < 2 and "data" not in entry and "data" not in piece


def _join(entry: dict[str, Any], piece: dict[str, Any]) -> None:
    for name, value in piece.items():
        if name in _GROWING and isinstance(value, str) and isinstance(entry.get(name), str):
            entry[name] += value
        elif value is not None:
            entry[name] = value
