"""Carries a growing reply to its viewers, batch by batch, and to the database about once a second."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.timezone import now

from conversations.blocks import SHOWN, ShownBlock, element_id, shown_text
from conversations.broadcasts import added, all_is_told, block_html, change_of, partial, replaced, tell
from conversations.draft import Draft
from conversations.figures import thought
from conversations.hub import Frame
from conversations.markdown import StreamingMarkdown
from conversations.models import Generation, Message
from conversations.transcript import continued_from
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, ReplyEvent

live: dict[int, "Relay"] = {}
"""The reply that grows in this process, by the conversation's key: there is one at a time in each."""


@dataclass(slots=True)
class LiveBlock:
    """A block on the page: its renderer, and when it opened (monotonic seconds)."""

    id: str
    kind: str
    markdown: StreamingMarkdown
    opened_at: float
    is_open: bool = True
    is_on_page: bool = False


class Relay:
    """One reply on its way. Every frame has the next `seq`; `snapshot` is what all frames so far add up to."""

    def __init__(self, generation: Generation, message: Message) -> None:
        self.generation, self.message = generation, message
        said = continued_from(message.blocks) if generation.continues else []
        self.draft = Draft(said)
        self._joins = bool(said)
        self.seq = 0
        self.thinking_seconds: float | None = None
        self.first_token_at: datetime | None = None
        self.stop_asked = False
        self._blocks: list[LiveBlock | None] = []
        for block in said:
            self._open(block["type"], shown_text(block), is_on_page=True)

    def start(self) -> None:
        """The page's empty message turns into one that grows."""
        live[self.generation.conversation_id] = self
        self._send(replaced(self.message, self.shown_blocks()))

    def carry(self, batch: Iterable[ReplyEvent]) -> None:
        partials: list[str] = []
        for event in joined(self._joined_on(batch)):
            self.draft.apply(event)
            if self.first_token_at is None and isinstance(event, BlockGrew | BlockOpened):
                self.first_token_at = now()
            partials += self._shown(event)
        partials += self._added()
        if partials:
            self._send("".join(partials))

    def end(self, booked: Message) -> None:
        """The last frame replaces the whole message, so that even a tab that missed everything ends up right."""
        self.let_go()
        # One of the reply's own: whoever was shown it growing after it was booked must not take this for old news.
        self.seq += 1
        frame = change_of(booked)._replace(generation=self.generation.pk, seq=self.seq)
        tell(self.generation.conversation_id, frame)
        all_is_told(self.generation.conversation_id, booked.revision)

    def let_go(self) -> None:
        if live.get(self.generation.conversation_id) is self:
            del live[self.generation.conversation_id]

    def snapshot(self, since: int | None) -> Frame:
        """The message as it stands now, for a viewer of revision `since` who missed something or comes late."""
        is_there = since is None or since >= self.message.shown_since
        shown = replaced if is_there else added
        return self._frame(shown(self.message, self.shown_blocks()))

    def shown_blocks(self) -> list[ShownBlock]:
        return [self._as_shown(block) for block in self._blocks if block]

    def _send(self, html: str) -> None:
        self.seq += 1
        tell(self.generation.conversation_id, self._frame(html))

    def _frame(self, html: str) -> Frame:
        message = self.message
        return Frame(html, generation=self.generation.pk, seq=self.seq, branch=message.branch_id, message=message.pk)

    def _joined_on(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        """The first text of a continuation goes on in the text that is there.

        What the model thought before it is left out: it would stand in the middle of a sentence.
        """
        for event in events:
            if self._joins and isinstance(event, BlockOpened) and event.block["type"] == "text":
                self._joins = False
                yield BlockGrew(shown_text(event.block))
            elif not self._joins or not isinstance(event, BlockOpened | BlockGrew | BlockClosed):
                yield event

    def _shown(self, event: ReplyEvent) -> Iterator[str]:
        """What an event changes in the blocks that viewers have already."""
        match event:
            case BlockGrew(text) if block := self._open_block():
                for patch in block.markdown.feed(text):
                    if block.is_on_page:
                        yield partial(f"#{block.id} {patch.target}", patch.swap, patch.html)
            case BlockOpened(content):
                self._open(content["type"], shown_text(content))
            case BlockClosed() if (block := self._open_block()) and block.kind == "thinking":
                block.is_open = False
                self.thinking_seconds = (self.thinking_seconds or 0) + time.monotonic() - block.opened_at
                if self.message.generation:
                    self.message.generation.thinking_seconds = self.thinking_seconds
                if block.is_on_page:
                    yield partial(f"#{block.id}-summary", "innerHTML", thought(self.thinking_seconds))

    def _open(self, kind: str, text: str, *, is_on_page: bool = False) -> None:
        if kind not in SHOWN:
            self._blocks.append(None)
            return
        block = LiveBlock(element_id(self.message.pk, len(self._blocks)), kind, StreamingMarkdown(), time.monotonic())
        block.is_on_page = is_on_page
        if text:
            block.markdown.feed(text)
        self._blocks.append(block)

    def _added(self) -> Iterator[str]:
        # htmx finds the targets of all partials of a frame before it swaps the first one: a block that is new in a
        # frame cannot grow in it, so it comes as it stands at the end of the batch.
        fresh = [block for block in self._blocks if block and not block.is_on_page]
        for block in fresh:
            block.is_on_page = True
        if fresh:
            html = "".join(block_html(self._as_shown(block)) for block in fresh)
            yield partial(f"#m{self.message.pk}-body", "beforeend", html)

    def _open_block(self) -> LiveBlock | None:
        return self._blocks[-1] if self._blocks else None

    def _as_shown(self, block: LiveBlock) -> ShownBlock:
        return ShownBlock(block.id, block.kind, block.markdown.html, block.is_open)


def joined(events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
    """The same events with the growth of a block in one piece: it is parsed and sent once.

    Usage that is reported in between comes before the growth that it interrupted.
    """
    pieces: list[str] = []
    for event in events:
        if isinstance(event, BlockGrew):
            pieces.append(event.text)
            continue
        if pieces and isinstance(event, BlockOpened | BlockClosed):
            yield BlockGrew("".join(pieces))
            pieces.clear()
        yield event
    if pieces:
        yield BlockGrew("".join(pieces))
