"""Puts the blocks of a Chat Completions reply in order: one is open at a time, and pieces of later ones wait."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from upstreams.events import BlockClosed, BlockGrew, BlockOpened, ReplyEvent
from upstreams.protocols.openai.details import DETAILS, ReasoningDetails
from upstreams.protocols.openai.images import ImageBlock
from upstreams.protocols.openai.tools import PartialToolCall, PartialToolCalls

type Prose = Literal["text", "thinking"]


class BlockQueue:
    """Takes pieces in any order. Emits blocks one after the other, each as early as possible."""

    def __init__(self) -> None:
        self.size = self.image_size = 0
        """Characters of content. Those of images count separately, so that an image cannot use up a text's limit."""
        self.open_kind: Prose | None = None
        """The kind of the open block if it is the last and text or thinking, of which more can be emitted at once."""
        self._calls = PartialToolCalls()
        self._queue: deque[_ProseBlock | PartialToolCall | ImageBlock] = deque()
        self._is_open = False
        self._blank = ""

    def grow(self, kind: Prose, text: str, field: str = "") -> Iterator[ReplyEvent]:
        """Adds text or thinking. `field` is the server's own field for thinking, if it came in one."""
        self.size += len(text)
        last = self._queue[-1] if self._queue else None
        if isinstance(last, PartialToolCall | ImageBlock):
            # Servers put white space around calls and images. It becomes a text block only if words follow.
            self._blank += text
            if self._blank.isspace():
                return
            text, self._blank = self._blank, ""
        if not (isinstance(last, _ProseBlock) and last.kind == kind):
            last = _ProseBlock(kind, field)
            self._queue.append(last)
        last.pending.append(text)
        yield from self._emit()

    def keep_details(self, entries: Iterable[dict[str, Any]]) -> Iterator[ReplyEvent]:
        """Adds entries of `reasoning_details` to the thinking they belong to. They go back to the server unchanged."""
        last = self._queue[-1] if self._queue else None
        if not (isinstance(last, _ProseBlock) and last.kind == "thinking"):
            # Encrypted thinking comes without text, and signatures may come late.
            last = _ProseBlock("thinking", DETAILS)
            self._queue.append(last)
        self.size += last.details.add(entries)
        yield from self._emit()

    def show(self, address: str, index: object) -> Iterator[ReplyEvent]:
        """Adds an image, or a further piece of the last one's URL."""
        self.size += 1
        self.image_size += len(address)
        last = self._queue[-1] if self._queue else None
        if isinstance(last, ImageBlock) and last.continues_with(address, index):
            last.grow(address)
            return
        self._blank = ""
        self._queue.append(ImageBlock(address, index))
        yield from self._emit()

    def take(self, delta: dict[str, Any]) -> Iterator[ReplyEvent]:
        """Adds the tool calls of a delta."""
        for call, size in self._calls.take(delta):
            self.size += size
            self._blank = ""
            # A call in the older form waits for the end, because it counts only if no other calls arrive.
            if not (call.has_begun or call is self._calls.legacy):
                call.has_begun = True
                self._queue.append(call)
            yield from self._emit()

    def end(self, *, is_cut: bool) -> Iterator[ReplyEvent]:
        """Emits and closes all remaining blocks. If the reply `is_cut`, the last one may be incomplete."""
        if self._calls.legacy and self._calls.has_only_legacy:
            self._queue.append(self._calls.legacy)
        while self._queue:
            yield from self._emit_first(closes=True, is_cut=is_cut and len(self._queue) == 1)

    @property
    def has_calls(self) -> bool:
        return bool(self._calls)

    def _emit(self) -> Iterator[ReplyEvent]:
        while self._queue and (self._is_open or self._queue[0].can_open):
            has_more = len(self._queue) > 1
            closes = has_more and self._queue[0].is_whole
            yield from self._emit_first(closes=closes)
            if not closes:
                break
        first = self._queue[0] if len(self._queue) == 1 else None
        self.open_kind = first.kind if isinstance(first, _ProseBlock) else None

    def _emit_first(self, *, closes: bool, is_cut: bool = False) -> Iterator[ReplyEvent]:
        first = self._queue[0]
        if not self._is_open:
            self._is_open = True
            yield BlockOpened(first.opening_block())
        yield from first.new_events()
        if closes:
            self._is_open = False
            self._queue.popleft()
            yield BlockClosed(first.closing_fields(is_cut=is_cut))


_EMPTY: Final[dict[Prose, dict[str, Any]]] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


class _ProseBlock:
    """Text or thinking. It can open at once, and it is whole when another block begins."""

    can_open = is_whole = True

    def __init__(self, kind: Prose, field: str) -> None:
        self.kind = kind
        self._field = field
        self.pending: list[str] = []
        self.details = ReasoningDetails()

    def opening_block(self) -> dict[str, Any]:
        return {**_EMPTY[self.kind], **({"reasoning_field": self._field} if self._field else {})}

    def new_events(self) -> Iterator[ReplyEvent]:
        if text := "".join(self.pending):
            self.pending.clear()
            yield BlockGrew(text)

    def closing_fields(self, *, is_cut: bool = False) -> dict[str, Any]:
        return {DETAILS: self.details.entries} if self.details.entries else {}
