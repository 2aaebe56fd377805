"""The blocks of a growing reply as pages have them: events in, updates of the page out."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.html import escape

from chatsite.values.figures import thought
from conversations.answering.draft import Draft
from conversations.live.blocks import SHOWN, AttachedFile, ShownBlock, answered_image, element_id, shown_text
from conversations.live.broadcasts import render_block, render_partial
from conversations.live.tool_cards import Progress, build_card, outcome_of
from conversations.markdown import Renderer, StreamingMarkdown
from conversations.models import Message
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, InputGrew, ReplyEvent, TextWasThinking


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
    """The `tool_use` block, if this is one. `written` is its input so far."""
    written: str = ""
    progress: Progress = Progress.WRITING
    result: Mapping[str, Any] | None = None
    note: str = ""
    """The progress that the tool has reported, in words."""
    image: AttachedFile | None = None


class PageBlocks:
    """The shown blocks of one draft. Updates are instructions to a page that has all earlier ones.

    The draft has each event already when the blocks get it.
    """

    def __init__(self, message: Message, draft: Draft, thinking_seconds: float | None) -> None:
        self._message, self._draft = message, draft
        self.thinking_seconds = thinking_seconds
        self._renderer = Renderer()
        self._blocks: list[LiveBlock | None] = []
        """By index in the draft; None for blocks that are not shown."""
        self._new_notes: dict[str, LiveBlock] = {}
        """The tool calls whose notes have not been taken yet, by the ids of their elements."""
        self._load(is_growing=False)

    @property
    def shown(self) -> list[ShownBlock]:
        """What a page has that was rendered now."""
        return [self._as_shown(block) for block in self._live_blocks]

    def reload(self) -> None:
        """Begins again with the blocks of the draft."""
        self._load(is_growing=not self._draft.end)

    def _load(self, *, is_growing: bool) -> None:
        """The last block is open if the reply `is_growing`."""
        self._blocks, blocks = [], self._draft.blocks
        for block in blocks:
            self._open(block, is_on_page=True)
        for shown in self._live_blocks:
            shown.is_open, shown.progress = False, Progress.RUNNING
        self._apply_results(blocks)
        if is_growing and (last := self._last_block()):
            last.is_open = last.use is None or "raw_input" in last.use
            if last.use and last.is_open:
                last.progress, last.written = Progress.WRITING, last.use.pop("raw_input")

    def update(self, events: Iterable[ReplyEvent]) -> list[str]:
        """Applies events. Returns the updates for pages."""
        updates = [update for event in events for update in self._updates_for(event)]
        return [*updates, *self._new_blocks()]

    def add_result(self, result: Mapping[str, Any]) -> list[str]:
        """Puts the result of a tool on the card of its call. Returns the updates for pages."""
        self._blocks.append(None)
        return [self._render_replacement(block) for block in self._apply_results([result])]

    def add_note(self, use_id: str, note: str) -> bool:
        """Notes how far a tool has come. Returns whether this is the first note since `take_notes`."""
        had_some = bool(self._new_notes)
        for block in self._live_blocks:
            if block.use and block.use.get("id") == use_id and block.note != note:
                block.note = note
                self._new_notes[block.id] = block
        return bool(self._new_notes) and not had_some

    def take_notes(self) -> list[str]:
        """Returns the updates for pages with the new notes of running tools."""
        blocks, self._new_notes = self._new_notes.values(), {}
        running = [block for block in blocks if block.is_on_page and block.progress == Progress.RUNNING]
        return [render_partial(f"#{block.id}-note", "innerHTML", escape(block.note)) for block in running]

    @property
    def _live_blocks(self) -> list[LiveBlock]:
        return [block for block in self._blocks if block]

    def _updates_for(self, event: ReplyEvent) -> Iterator[str]:
        """Applies an event to the blocks. Yields updates for blocks that are on the page already."""
        match event:
            case BlockGrew(text) if block := self._last_block():
                for patch in block.markdown.feed(text):
                    if block.is_on_page:
                        yield render_partial(f"#{block.id} {patch.target}", patch.swap, patch.html)
            case BlockOpened(content):
                self._open(content)
            case InputGrew(text) if (block := self._last_block()) and block.use:
                block.written += text
                if block.is_on_page:
                    yield render_partial(f"#{block.id}-input", "beforeend", escape(text))
            case BlockClosed(fields) if (block := self._last_block()) and block.use:
                block.use |= fields
                block.is_open, block.progress = False, Progress.RUNNING
                if block.is_on_page:
                    yield self._render_replacement(block)
            case TextWasThinking(prefix) if block := self._last_block():
                block.kind = "thinking"
                if prefix:
                    block.markdown = StreamingMarkdown(self._renderer)
                    block.markdown.feed(self._draft.blocks[len(self._blocks) - 1]["thinking"])
                self._note_thinking_time(block)
                if block.is_on_page:
                    yield self._render_replacement(block)
            case BlockClosed() if (block := self._last_block()) and block.kind == "thinking":
                self._note_thinking_time(block)
                if block.is_on_page:
                    yield render_partial(f"#{block.id}-summary", "innerHTML", thought(self.thinking_seconds))

    def _note_thinking_time(self, block: LiveBlock) -> None:
        block.is_open = False
        self.thinking_seconds = (self.thinking_seconds or 0) + time.monotonic() - block.opened_at
        if self._message.generation:
            self._message.generation.thinking_seconds = self.thinking_seconds

    def _open(self, content: Mapping[str, Any], *, is_on_page: bool = False) -> None:
        kind, image = content["type"], answered_image(content)
        if kind not in SHOWN and kind != "tool_use" and not image:
            self._blocks.append(None)
            return
        block = LiveBlock(
            element_id(self._message.pk, len(self._blocks)), kind, StreamingMarkdown(self._renderer), time.monotonic()
        )
        block.is_on_page, block.image = is_on_page, image
        if kind == "tool_use":
            block.use = dict(content)
        elif text := shown_text(content):
            block.markdown.feed(text)
        self._blocks.append(block)

    def _new_blocks(self) -> Iterator[str]:
        # htmx finds the targets of all partials of a frame before it swaps the first one, so a new block cannot grow
        # within the frame that adds it. It is sent in its state at the end of the batch.
        new = [block for block in self._live_blocks if not block.is_on_page]
        for block in new:
            block.is_on_page = True
        if new:
            html = "".join(render_block(self._as_shown(block), self._message) for block in new)
            yield render_partial(f"#m{self._message.pk}-body", "beforeend", html)

    def _apply_results(self, blocks: Iterable[Mapping[str, Any]]) -> list[LiveBlock]:
        """Gives tool calls their results from `blocks`. Returns the calls that got one."""
        results = {block["tool_use_id"]: block for block in blocks if block.get("type") == "tool_result"}
        answered = []
        for block in self._live_blocks:
            if block.use and (result := results.get(block.use.get("id"))):
                block.result = result
                block.progress = outcome_of(result)
                answered.append(block)
        return answered

    def _render_replacement(self, block: LiveBlock) -> str:
        return render_partial(f"#{block.id}", "outerMorph", render_block(self._as_shown(block), self._message))

    def _last_block(self) -> LiveBlock | None:
        return self._blocks[-1] if self._blocks else None

    def _as_shown(self, block: LiveBlock) -> ShownBlock:
        shown = None
        if block.use:
            written = block.written if block.is_open else ""
            shown = build_card(block.use, block.progress, block.result, written, block.note)
        return ShownBlock(block.id, block.kind, block.markdown.html, block.is_open, shown, block.image)
