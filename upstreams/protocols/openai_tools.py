"""Assembles the tool calls of a Chat Completions reply from the pieces that servers send."""

from collections.abc import Iterator
from typing import Any, Final

from upstreams.events import InputGrew, ReplyEvent
from upstreams.protocols.anthropic_reply import parse_input
from upstreams.tolerant_json import dump

_WIRE_FIELDS: Final = ("index", "id", "type", "function")


class PartialToolCall:
    """One call. A later id or name replaces an earlier one: some servers repeat them."""

    def __init__(self, position: int, call_id: str = "") -> None:
        self.id, self.name = call_id, ""
        self.has_begun = False
        """Whether it is among the blocks of its reply."""
        self._position = position
        self._pieces: list[str] = []
        self._emitted = 0
        self._nesting = _Nesting()
        self._arguments: dict[str, Any] | None = None
        self._extras: dict[str, Any] = {}
        self._opened: dict[str, Any] = {}

    def take(self, piece: dict[str, Any]) -> int:
        """Adds a piece. Returns the number of characters in it."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        self.id = piece.get("id") or self.id
        self.name = function.get("name") or self.name
        self._extras |= {name: value for name, value in piece.items() if name not in _WIRE_FIELDS}
        match function.get("arguments"):
            case str(text):
                self._pieces.append(text)
                return len(text) + 1
            case dict(whole):
                self._arguments = whole
                return len(dump(whole))
        return 1

    @property
    def can_open(self) -> bool:
        return bool(self.id and self.name)

    @property
    def is_whole(self) -> bool:
        """Whether no more pieces can follow. Ask only after another block has begun."""
        return self.can_open and (self._arguments is not None or self._nesting.is_closed_by(self._pieces))

    def opening_block(self) -> dict[str, Any]:
        self._opened = self._block()
        return self._opened

    def new_events(self) -> Iterator[ReplyEvent]:
        """The input that has arrived since the last call."""
        text = "".join(self._pieces[self._emitted :])
        if self._arguments is not None and not self._emitted:
            text, self._emitted = dump(self._arguments).decode(), 1
        self._emitted = max(self._emitted, len(self._pieces))
        if text:
            yield InputGrew(text)

    def closing_fields(self) -> dict[str, Any]:
        late = {name: value for name, value in self._block().items() if self._opened.get(name) != value}
        if self._arguments is not None:
            return late | {"input": self._arguments}
        text = "".join(self._pieces)
        return late | (parse_input(text) if text.strip() else {"input": {}})

    def _block(self) -> dict[str, Any]:
        called = {"type": "tool_use", "id": self.id or f"call_{self._position}", "name": self.name, "input": {}}
        return {**self._extras, **called}


class PartialToolCalls:
    """The calls of one reply. Finds the call that each piece belongs to."""

    def __init__(self) -> None:
        self.legacy: PartialToolCall | None = None
        """The older `function_call`, which counts only if there are no other calls."""
        self._calls: list[PartialToolCall] = []
        self._by_index: dict[int, PartialToolCall] = {}

    def __bool__(self) -> bool:
        return bool(self._calls or self.legacy)

    def take(self, delta: dict[str, Any]) -> Iterator[tuple[PartialToolCall, int]]:
        """The calls that a delta extends, each with the number of new characters, in the order in which they begin."""
        pieces = delta.get("tool_calls")
        if isinstance(pieces, list):
            for piece in pieces:
                if isinstance(piece, dict):
                    call = self._find_call(piece)
                    yield call, call.take(piece)
        elif isinstance(function := delta.get("function_call"), dict):
            self.legacy = self.legacy or PartialToolCall(0, "call_0")
            yield self.legacy, self.legacy.take({"function": function})

    @property
    def has_only_legacy(self) -> bool:
        return not self._calls

    def _find_call(self, piece: dict[str, Any]) -> PartialToolCall:
        """Finds the call of a piece. A new id begins a new call, with an index only if the index had another id."""
        index, call_id = piece.get("index"), piece.get("id")
        current = self._by_index.get(index) if isinstance(index, int) else self._last()
        if current is None or (call_id and current.id and call_id != current.id):
            current = PartialToolCall(len(self._calls))
            self._calls.append(current)
        if isinstance(index, int):
            self._by_index[index] = current
        return current

    def _last(self) -> PartialToolCall | None:
        return self._calls[-1] if self._calls else None


class _Nesting:
    """Whether JSON that arrives in pieces has closed everything that it opened. Reads each piece once."""

    def __init__(self) -> None:
        self._seen = 0
        self._depth = 0
        self._has_begun = self._is_in_string = self._is_escaped = False

    def is_closed_by(self, pieces: list[str]) -> bool:
        for piece in pieces[self._seen :]:
            for character in piece:
                self._take(character)
        self._seen = len(pieces)
        return self._has_begun and not self._depth

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
