"""Tool calls of a Chat Completions reply, gathered from the pieces that servers send."""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from upstreams.protocols.anthropic_reply import parsed_input

_WIRE_FIELDS: Final = ("index", "id", "type", "function")


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    arguments: dict[str, Any] | None = None
    extras: dict[str, Any] = field(default_factory=dict)

    def take(self, piece: dict[str, Any]) -> int:
        """Adds one piece. Id and name are set, not joined: some servers repeat them. Returns the characters added."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        self.id = piece.get("id") or self.id
        self.name = function.get("name") or self.name
        self.extras |= {name: value for name, value in piece.items() if name not in _WIRE_FIELDS}
        match function.get("arguments"):
            case str(text):
                self.pieces.append(text)
                return len(text) + 1
            case dict(whole):
                self.arguments = whole
                return len(orjson.dumps(whole))
        return 1

    def closing(self) -> dict[str, Any]:
        if self.arguments is not None:
            return {"input": self.arguments}
        text = "".join(self.pieces)
        return parsed_input(text) if text.strip() else {"input": {}}


class ToolCalls:
    """The calls of one reply, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._legacy: _Call | None = None

    def take(self, delta: dict[str, Any]) -> int:
        """Adds what a delta holds; returns the characters it added, 0 when it holds no call."""
        pieces = delta.get("tool_calls")
        if isinstance(pieces, list):
            return sum(self._slot(piece).take(piece) for piece in pieces if isinstance(piece, dict))
        if isinstance(function := delta.get("function_call"), dict):
            self._legacy = self._legacy or _Call(id="call_0")
            return self._legacy.take({"function": function})
        return 0

    def blocks(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """A `tool_use` block for each call, with the fields that close it. The older `function_call` only if alone."""
        calls = self._calls or ([self._legacy] if self._legacy else [])
        return [
            (
                {
                    **call.extras,
                    "type": "tool_use",
                    "id": call.id or f"call_{position}",
                    "name": call.name,
                    "input": {},
                },
                call.closing(),
            )
            for position, call in enumerate(calls)
        ]

    def _slot(self, piece: dict[str, Any]) -> _Call:
        """Without an index a new id begins a call; with one, so does another id under the same index."""
        index, call_id = piece.get("index"), piece.get("id")
        current = self._by_index.get(index) if isinstance(index, int) else self._last()
        if current is None or (call_id and current.id and call_id != current.id):
            current = _Call()
            self._calls.append(current)
        if isinstance(index, int):
            self._by_index[index] = current
        return current

    def _last(self) -> _Call | None:
        return self._calls[-1] if self._calls else None
