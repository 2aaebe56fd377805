"""The blocks of a Chat Completions reply in a row: one is open at a time, and what comes for a later one waits."""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Literal

from upstreams.events import BlockClosed, BlockGrew, BlockOpened, ReplyEvent
from upstreams.protocols.openai_tools import PartialToolCall, PartialToolCalls

type Written = Literal["text", "thinking"]


class Blocks:
    """Pieces in, in whatever order a server sends them; blocks out, one after another, each as soon as it can be."""

    def __init__(self) -> None:
        self.size = 0
        self.open_kind: Written | None = None
        """The kind of written block that is the last and open: more of it is told as it is."""
        self._calls = PartialToolCalls()
        self._row: deque[_Prose | PartialToolCall] = deque()
        self._is_open = False
        self._blank = ""

    def grow(self, kind: Written, text: str) -> Iterator[ReplyEvent]:
        """More text, or more thinking."""
        self.size += len(text)
        last = self._row[-1] if self._row else None
        if isinstance(last, PartialToolCall):
            # Servers put white space around calls; it makes a text only when words follow.
            self._blank += text
            if self._blank.isspace():
                return
            text, self._blank = self._blank, ""
        if not (isinstance(last, _Prose) and last.kind == kind):
            last = _Prose(kind)
            self._row.append(last)
        last.untold.append(text)
        yield from self._told()

    def take(self, delta: dict[str, Any]) -> Iterator[ReplyEvent]:
        """What there is of tool calls in a delta."""
        for call, size in self._calls.take(delta):
            self.size += size
            self._blank = ""
            # The older form is held to the end: only then is it known that no others come.
            if not (call.has_begun or call is self._calls.legacy):
                call.has_begun = True
                self._row.append(call)
            yield from self._told()

    def end(self) -> Iterator[ReplyEvent]:
        """Tells and closes all that is left."""
        if self._calls.legacy and self._calls.has_none_but_legacy:
            self._row.append(self._calls.legacy)
        while self._row:
            yield from self._first(closes=True)

    @property
    def have_calls(self) -> bool:
        return bool(self._calls)

    def _told(self) -> Iterator[ReplyEvent]:
        while self._row and (self._is_open or self._row[0].can_open):
            has_more = len(self._row) > 1
            closes = has_more and self._row[0].is_whole
            yield from self._first(closes=closes)
            if not closes:
                break
        first = self._row[0] if len(self._row) == 1 else None
        self.open_kind = first.kind if isinstance(first, _Prose) else None

    def _first(self, *, closes: bool) -> Iterator[ReplyEvent]:
        first = self._row[0]
        if not self._is_open:
            self._is_open = True
            yield BlockOpened(first.opening())
        yield from first.growth()
        if closes:
            self._is_open = False
            self._row.popleft()
            yield BlockClosed(first.closing())


_EMPTY: Final[dict[Written, dict[str, Any]]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


class _Prose:
    """Text or thinking: it opens at once, and is whole when something else begins."""

    can_open = is_whole = True

    def __init__(self, kind: Written) -> None:
        self.kind = kind
        self.untold: list[str] = []

    def opening(self) -> dict[str, Any]:
        return dict(_EMPTY[self.kind])

    def growth(self) -> Iterator[ReplyEvent]:
        if text := "".join(self.untold):
            self.untold.clear()
            yield BlockGrew(text)

    def closing(self) -> dict[str, Any]:
        return {}
