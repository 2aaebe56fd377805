"""Makes blocks of the thinking that a server leaves in the text of a reply."""

from collections.abc import Iterable, Iterator
from typing import Any

from upstreams.events import BlockClosed, BlockGrew, BlockOpened, ReplyEvent, TextWasThinking
from upstreams.protocols.tidying.think_tags import Kind, Piece, ThinkTagSplitter
from upstreams.reply import TAGS, build_thinking


class ThinkTagFilter:
    """Splits the first text block of a reply. Thinking in a block of its own, or a tool call, ends the search."""

    def __init__(self) -> None:
        self._splitter = ThinkTagSplitter()
        self._opening: dict[str, Any] | None = None
        """The text block that is being split."""
        self._kind: Kind | None = None
        """The kind of the block that is open for readers."""
        self.is_done = False

    def passes(self, text: str) -> bool:
        """Whether a piece of text needs no splitting. Takes note of it if so."""
        return self.is_done or (self._kind == "text" and self._splitter.passes(text))

    def split(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        for event in events:
            if self.is_done:
                yield event
                continue
            match event:
                case BlockOpened(block) if block.get("type") == "text" and self._opening is None:
                    self._opening = {**block, "text": ""}
                    yield from self._emit(self._splitter.feed(str(block.get("text") or "")))
                case BlockGrew(text) if self._opening is not None:
                    yield from self._emit(self._splitter.feed(text))
                case BlockClosed(fields) if self._opening is not None:
                    yield from self._emit(self._splitter.give_up())
                    if self._kind is None:
                        yield BlockOpened(self._opening)
                    yield self._close(fields)
                    self.is_done = True
                case BlockOpened():
                    self.is_done = True
                    yield event
                case _:
                    yield event

    def _emit(self, pieces: Iterable[Piece]) -> Iterator[ReplyEvent]:
        assert self._opening is not None
        for kind, text in pieces:
            if not text:
                if self._kind == "text":
                    yield TextWasThinking(self._splitter.prefix, self._splitter.tags)
                    self._kind = None
                continue
            if kind != self._kind:
                if self._kind:
                    yield self._close({})
                self._kind = kind
                yield BlockOpened(self._opening if kind == "text" else build_thinking(""))
            yield BlockGrew(text)

    def _close(self, fields: Any) -> BlockClosed:
        """Closes the open block, with the `fields` of the server's block if it is text."""
        if self._kind != "thinking":
            return BlockClosed(fields)
        tags = self._splitter.tags
        return BlockClosed({TAGS: list(tags)} if tags else {})
