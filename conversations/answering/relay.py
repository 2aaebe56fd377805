"""Carries a growing reply to its viewers, batch by batch, and to the database about once a second."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.html import escape
from django.utils.timezone import now

from chatsite.figures import thought
from conversations.answering.draft import Draft
from conversations.live.blocks import SHOWN, ShownBlock, element_id, shown_text
from conversations.live.broadcasts import added, all_is_told, block_html, change_of, partial, replaced, tell
from conversations.live.hub import Frame
from conversations.live.tool_cards import Progress, card
from conversations.markdown import StreamingMarkdown
from conversations.models import Generation, Message
from conversations.prompt.transcript import continued_from
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, InputGrew, ReplyEvent


@dataclass(slots=True)
class LiveBlock:
    """A block on the page: its renderer, and when it opened (monotonic seconds)."""

    id: str
    kind: str
    markdown: StreamingMarkdown
    opened_at: float
    is_open: bool = True
    is_on_page: bool = False
    use: dict[str, Any] | None = None
    """The call of a tool, where it is one; `written` is its input as it comes."""
    written: str = ""
    progress: Progress = Progress.WRITING
    result: Mapping[str, Any] | None = None


_keys = itertools.count(1)


class Relay:
    """One reply on its way. Every frame has the next `seq`; `snapshot` is what all frames so far add up to."""

    def __init__(self, generation: Generation, message: Message) -> None:
        self.generation, self.message = generation, message
        # Not the generation's: one that waited for a person and is taken up again has another relay.
        self.key = next(_keys)
        said: list[dict[str, Any]] = []
        if generation.rounds:
            said = message.blocks
        elif generation.continues:
            said = continued_from(message.blocks)
        self.draft = Draft(said, generation.usage if generation.rounds else None)
        self._joins = bool(said) and not generation.rounds
        self.seq = 0
        self.thinking_seconds = generation.thinking_seconds if generation.rounds else None
        self.first_token_at: datetime | None = generation.first_token_at if generation.rounds else None
        self.stop_asked = False
        self._blocks: list[LiveBlock | None] = []
        for content in said:
            self._open(content, is_on_page=True)
        for block in self.live_blocks:
            block.is_open, block.progress = False, Progress.RUNNING
        self._answer(said)

    def start(self) -> None:
        """The page's empty message turns into one that grows."""
        self._send(replaced(self.message, self.shown_blocks()))

    def carry(self, batch: Iterable[ReplyEvent]) -> None:
        partials: list[str] = []
        for event in joined(self._joined_on(batch)):
            event = self.draft.told_apart(event)
            self.draft.apply(event)
            if self.first_token_at is None and isinstance(event, BlockGrew | BlockOpened):
                self.first_token_at = now()
            partials += self._shown(event)
        partials += self._added()
        if partials:
            self._send("".join(partials))

    def take_result(self, result: dict[str, Any]) -> None:
        """A tool has run: its card shows what came back."""
        self.draft.answer(result)
        self._blocks.append(None)
        self._send("".join(self._replaced(block) for block in self._answer([result])))

    def _answer(self, blocks: Iterable[Mapping[str, Any]]) -> list[LiveBlock]:
        results = {block["tool_use_id"]: block for block in blocks if block.get("type") == "tool_result"}
        answered = [block for block in self.live_blocks if block.use and block.use.get("id") in results]
        for block in answered:
            assert block.use
            block.result = results[block.use["id"]]
            block.progress = Progress.FAILED if block.result.get("is_error") else Progress.DONE
        return answered

    def _replaced(self, block: LiveBlock) -> str:
        return partial(f"#{block.id}", "outerMorph", block_html(self._as_shown(block), self.message))

    def end(self, booked: Message) -> None:
        """The last frame replaces the whole message, so that even a tab that missed everything ends up right."""
        # One of the reply's own: whoever was shown it growing after it was booked must not take this for old news.
        self.seq += 1
        frame = change_of(booked)._replace(relay=self.key, seq=self.seq)
        tell(self.generation.conversation_id, frame)
        all_is_told(self.generation.conversation_id, booked.revision)

    def snapshot(self, since: int | None) -> Frame:
        """The message as it stands now, for a viewer of revision `since` who missed something or comes late."""
        is_there = since is None or since >= self.message.shown_since
        shown = replaced if is_there else added
        return self._frame(shown(self.message, self.shown_blocks()))

    @property
    def live_blocks(self) -> list[LiveBlock]:
        return [block for block in self._blocks if block]

    def shown_blocks(self) -> list[ShownBlock]:
        return [self._as_shown(block) for block in self.live_blocks]

    def _send(self, html: str) -> None:
        self.seq += 1
        tell(self.generation.conversation_id, self._frame(html))

    def _frame(self, html: str) -> Frame:
        message = self.message
        return Frame(html, relay=self.key, seq=self.seq, branch=message.branch_id, message=message.pk)

    def _joined_on(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        """The first text of a continuation goes on in the text that is there.

        What the model thought before it is left out: it would stand in the middle of a sentence.
        """
        for event in events:
            kind = event.block.get("type") if isinstance(event, BlockOpened) else ""
            if self._joins and isinstance(event, BlockOpened) and kind == "text":
                self._joins = False
                yield BlockGrew(shown_text(event.block))
            elif self._joins and kind == "tool_use":
                self._joins = False
                yield event
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
                self._open(content)
            case InputGrew(text) if (block := self._open_block()) and block.use:
                block.written += text
                if block.is_on_page:
                    yield partial(f"#{block.id}-input", "beforeend", escape(text))
            case BlockClosed(fields) if (block := self._open_block()) and block.use:
                block.use |= fields
                block.is_open, block.progress = False, Progress.RUNNING
                if block.is_on_page:
                    yield self._replaced(block)
            case BlockClosed() if (block := self._open_block()) and block.kind == "thinking":
                block.is_open = False
                self.thinking_seconds = (self.thinking_seconds or 0) + time.monotonic() - block.opened_at
                if self.message.generation:
                    self.message.generation.thinking_seconds = self.thinking_seconds
                if block.is_on_page:
                    yield partial(f"#{block.id}-summary", "innerHTML", thought(self.thinking_seconds))

    def _open(self, content: Mapping[str, Any], *, is_on_page: bool = False) -> None:
        kind = content["type"]
        if kind not in SHOWN and kind != "tool_use":
            self._blocks.append(None)
            return
        block = LiveBlock(element_id(self.message.pk, len(self._blocks)), kind, StreamingMarkdown(), time.monotonic())
        block.is_on_page = is_on_page
        if kind == "tool_use":
            block.use = dict(content)
        elif text := shown_text(content):
            block.markdown.feed(text)
        self._blocks.append(block)

    def _added(self) -> Iterator[str]:
        # htmx finds the targets of all partials of a frame before it swaps the first one: a block that is new in a
        # frame cannot grow in it, so it comes as it stands at the end of the batch.
        fresh = [block for block in self.live_blocks if not block.is_on_page]
        for block in fresh:
            block.is_on_page = True
        if fresh:
            html = "".join(block_html(self._as_shown(block), self.message) for block in fresh)
            yield partial(f"#m{self.message.pk}-body", "beforeend", html)

    def _open_block(self) -> LiveBlock | None:
        return self._blocks[-1] if self._blocks else None

    def _as_shown(self, block: LiveBlock) -> ShownBlock:
        shown = None
        if block.use:
            shown = card(block.use, block.progress, block.result, block.written if block.is_open else "")
        return ShownBlock(block.id, block.kind, block.markdown.html, block.is_open, shown)


def joined(events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
    """The same events with the growth of a block in one piece: it is parsed and sent once.

    Usage that is reported in between comes before the growth that it interrupted.
    """
    pieces: list[str] = []
    for event in events:
        if isinstance(event, BlockGrew):
            pieces.append(event.text)
            continue
        if pieces and isinstance(event, BlockOpened | InputGrew | BlockClosed):
            yield BlockGrew("".join(pieces))
            pieces.clear()
        yield event
    if pieces:
        yield BlockGrew("".join(pieces))
