"""Tool calls of a Chat Completions reply, told apart and put together from the pieces that servers send."""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from upstreams.events import InputGrew, ReplyEvent
from upstreams.protocols.anthropic_reply import parsed_input

_WIRE_FIELDS: Final = ("index", "id", "type", "function")


class PartialToolCall:
    """One call. Id and name are set, not joined: some servers repeat them."""

    def __init__(self, position: int, call_id: str = "") -> None:
        self.id, self.name = call_id, ""
        self.has_begun = False
        """It stands among the blocks of its reply."""
        self._position = position
        self._pieces: list[str] = []
        self._told = 0
        self._nesting = _Nesting()
        self._arguments: dict[str, Any] | None = None
        self._extras: dict[str, Any] = {}
        self._opened: dict[str, Any] = {}

    def take(self, piece: dict[str, Any]) -> int:
        """Adds one piece; returns the characters it added."""
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
                return len(orjson.dumps(whole))
        return 1

    @property
    def can_open(self) -> bool:
        return bool(self.id and self.name)

    @property
    def is_whole(self) -> bool:
        """Nothing more is to be expected of it. Only asked when something else has begun."""
        return self.can_open and (self._arguments is not None or self._nesting.is_closed_by(self._pieces))

    def opening(self) -> dict[str, Any]:
        self._opened = self._block()
        return self._opened

    def growth(self) -> Iterator[ReplyEvent]:
        """The input that was not told yet."""
        text = "".join(self._pieces[self._told :])
        if self._arguments is not None and not self._told:
            text, self._told = orjson.dumps(self._arguments).decode(), 1
        self._told = max(self._told, len(self._pieces))
        if text:
            yield InputGrew(text)

    def closing(self) -> dict[str, Any]:
        late = {name: value for name, value in self._block().items() if self._opened.get(name) != value}
        if self._arguments is not None:
            return late | {"input": self._arguments}
        text = "".join(self._pieces)
        return late | (parsed_input(text) if text.strip() else {"input": {}})

    def _block(self) -> dict[str, Any]:
        called = {"type": "tool_use", "id": self.id or f"call_{self._position}", "name": self.name, "input": {}}
        return {**self._extras, **called}


class PartialToolCalls:
    """The calls of one reply: which piece belongs to which."""

    def __init__(self) -> None:
        self.legacy: PartialToolCall | None = None
        """The older `function_call`, which counts only where there are no others."""
        self._calls: list[PartialToolCall] = []
        self._by_index: dict[int, PartialToolCall] = {}

    def __bool__(self) -> bool:
        return bool(self._calls or self.legacy)

    def take(self, delta: dict[str, Any]) -> Iterator[tuple[PartialToolCall, int]]:
        """The calls that a delta adds to, with the characters it added; new ones come in the order they begin."""
        pieces = delta.get("tool_calls")
        if isinstance(pieces, list):
            for piece in pieces:
                if isinstance(piece, dict):
                    call = self._slot(piece)
                    yield call, call.take(piece)
        elif isinstance(function := delta.get("function_call"), dict):
            self.legacy = self.legacy or PartialToolCall(0, "call_0")
            yield self.legacy, self.legacy.take({"function": function})

    @property
    def has_none_but_legacy(self) -> bool:
        return not self._calls

    def _slot(self, piece: dict[str, Any]) -> PartialToolCall:
        """Without an index a new id begins a call; with one, so does another id under the same index."""
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
    """Whether JSON that comes in pieces has closed all that it opened; each piece is looked at once."""

    def __init__(self) -> None:
        self._seen = 0
        self._depth = 0
        self._has_begun = self._is_in_string = self._is_escaped = False

    def is_closed_by(self, pieces: list[str]) -> bool:
        for piece in pieces[self._seen :]:
            for sign in piece:
                self._take(sign)
        self._seen = len(pieces)
        return self._has_begun and not self._depth

    def _take(self, sign: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif sign == "\\":
            self._is_escaped = self._is_in_string
        elif sign == '"':
            self._is_in_string = not self._is_in_string
        elif not self._is_in_string and sign in "{[":
            self._depth, self._has_begun = self._depth + 1, True
        elif not self._is_in_string and sign in "}]":
            self._depth -= 1
