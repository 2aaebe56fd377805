"""Assembles the tool calls of a Chat Completions reply from the pieces that servers send."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

from upstreams.events import InputGrew, ReplyEvent
from upstreams.protocols.tool_calls import parse_input
from upstreams.wire.nesting import PartialValue
from upstreams.wire.tolerant_json import dump

_WIRE_FIELDS: Final = ("index", "id", "type", "function")


class PartialToolCall:
    """One call. A later id or name replaces an earlier one: some servers repeat them."""

    def __init__(self) -> None:
        self.id = self.name = ""
        self.has_begun = False
        """Whether it is among the blocks of its reply."""
        self._pieces: list[str] = []
        self._emitted = 0
        self._value, self._read = PartialValue(), 0
        self._arguments: dict[str, Any] | None = None
        self._extras: dict[str, Any] = {}
        self._opened: dict[str, Any] = {}

    def take(self, piece: dict[str, Any]) -> int:
        """Adds a piece. Returns the number of characters in it."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        self.id = as_name(piece.get("id")) or self.id
        self.name = as_name(function.get("name")) or self.name
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
        return self.can_open and self.is_closed

    @property
    def is_open_ended(self) -> bool:
        """Whether its input has begun and is not complete."""
        return self._arguments is None and bool("".join(self._pieces).strip()) and not self.is_closed

    @property
    def is_closed(self) -> bool:
        """Whether its input is a complete JSON value."""
        for piece in self._pieces[self._read :]:
            self._value.read(piece)
        self._read = len(self._pieces)
        return self._arguments is not None or self._value.is_complete

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

    def closing_fields(self, *, is_cut: bool = False) -> dict[str, Any]:
        """The fields that are known at the end. If the reply `is_cut`, a call without input is incomplete."""
        late = {name: value for name, value in self._block().items() if self._opened.get(name) != value}
        if self._arguments is not None:
            return late | {"input": self._arguments}
        text = "".join(self._pieces)
        if text.strip():
            return late | parse_input(text)
        return late | {"input": {}, **({"raw_input": ""} if is_cut else {})}

    def _block(self) -> dict[str, Any]:
        # Clients and servers require ids that are unique in the whole conversation.
        self.id = self.id or f"call_{uuid4().hex}"
        called = {"type": "tool_use", "id": self.id, "name": self.name, "input": {}}
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
            self.legacy = self.legacy or PartialToolCall()
            yield self.legacy, self.legacy.take({"function": function})

    @property
    def has_only_legacy(self) -> bool:
        return not self._calls

    def _find_call(self, piece: dict[str, Any]) -> PartialToolCall:
        """Finds the call of a piece, or begins one.

        An index that has not occurred begins a call. Under a known index, or without one, a name does if the current
        call cannot be the one it names. An id alone does not, because some servers make a new one for each piece.
        """
        index = _read_index(piece.get("index"))
        current = self._last() if index is None else self._by_index.get(index)
        if index is None and (known := self._find_by_id(as_name(piece.get("id")))):
            current = known
        if current is None or _begins_another(piece, current, has_index=index is not None):
            current = PartialToolCall()
            self._calls.append(current)
        if index is not None:
            self._by_index[index] = current
        return current

    def _find_by_id(self, call_id: str) -> PartialToolCall | None:
        return next((call for call in reversed(self._calls) if call_id and call.id == call_id), None)

    def _last(self) -> PartialToolCall | None:
        return self._calls[-1] if self._calls else None


def as_name(value: object) -> str:
    """An id or a name, which some servers send as a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _read_index(index: object) -> int | None:
    if isinstance(index, str) and index.isdecimal():
        return int(index)
    return index if isinstance(index, int) else None


def _begins_another(piece: dict[str, Any], current: PartialToolCall, *, has_index: bool) -> bool:
    """Whether a piece begins another call than `current`, which has the same index or is the last one."""
    function = piece.get("function")
    function = function if isinstance(function, dict) else {}
    call_id, name = as_name(piece.get("id")), as_name(function.get("name"))
    if call_id and call_id == current.id:
        return False
    has_other_id = bool(call_id and current.id)
    if not name:
        # Without an index, an id announces a call whose name follows, unless the current call is incomplete.
        return has_other_id and not has_index and current.is_closed
    if not current.name:
        return False
    if has_other_id:
        return name != current.name or not current.is_open_ended
    is_other_name = name != current.name
    return (current.is_closed and (is_other_name or bool(function.get("arguments")))) or (
        is_other_name and not has_index and not current.is_open_ended
    )
