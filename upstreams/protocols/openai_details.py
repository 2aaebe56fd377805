"""The `reasoning_details` of a Chat Completions reply: thinking with signatures, and encrypted thinking."""

from typing import Any, Final

DETAILS: Final = "reasoning_details"
_GROWING: Final = ("text", "summary", "data")


class ReasoningDetails:
    """Joins streamed entries. Each piece has the index of its entry; one without an index continues the last entry."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, piece: dict[str, Any]) -> int:
        """Returns how many characters the piece has added."""
        size = sum(len(value) for value in piece.values() if isinstance(value, str))
        entry = self._find(piece)
        if entry is None:
            self.entries.append(dict(piece))
            return size
        for name, value in piece.items():
            if name in _GROWING and isinstance(value, str) and isinstance(entry.get(name), str):
                entry[name] += value
            elif value is not None:
                entry[name] = value
        return size

    def _find(self, piece: dict[str, Any]) -> dict[str, Any] | None:
        kind, index = piece.get("type"), piece.get("index")
        candidates = self.entries[-1:] if index is None else self.entries
        alike = (entry for entry in candidates if (entry.get("type"), entry.get("index")) == (kind, index))
        return next(alike, None)
