"""Carries a growing reply to its viewers, batch by batch."""

import asyncio
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.html import escape
from django.utils.timezone import now

from chatsite.failures.failure_log import FailureLog
from chatsite.values.figures import thought
from conversations.answering.draft import Draft
from conversations.live.blocks import SHOWN, AttachedFile, ShownBlock, answered_image, element_id, shown_text
from conversations.live.broadcasts import (
    build_frame,
    close_revision,
    render_block,
    render_insertion,
    render_partial,
    render_replacement,
    send,
)
from conversations.live.hub import Frame
from conversations.live.tool_cards import Progress, build_card, outcome_of
from conversations.markdown import Renderer, StreamingMarkdown
from conversations.models import Generation, Message
from conversations.models.message import blocks_to_continue, is_text
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, InputGrew, ReplyEvent, SettingRefused, TextWasThinking

NOTES_PAUSE = 0.25
"""Seconds between two updates of what running tools report."""

showing_failures = FailureLog("Showing an answer")


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


class Relay:
    """One reply on its way to viewers. Every frame has the next `seq`; `snapshot` equals all frames so far.

    The draft gets everything, whatever happens to its viewers. If something cannot be shown, for example because a
    file cannot be opened, the next batch shows the whole reply again.
    """

    def __init__(self, generation: Generation, message: Message) -> None:
        self.generation, self.message = generation, message
        # Not the generation's key, because one that waited for approval is resumed by another relay, in any process.
        self.key = secrets.randbits(62) + 1
        self.seq = 0
        self.is_stopped = False
        """Whether a person has asked to stop the reply."""
        self.has_ended = False
        self._is_behind = False
        """Whether the blocks on the page lack something that the draft has."""
        blocks: list[dict[str, Any]] = []
        if generation.continues:
            blocks = blocks_to_continue(message.blocks)
        elif generation.rounds:
            blocks = message.blocks
        self._new_notes: dict[str, LiveBlock] = {}
        """The tool calls whose notes will be sent shortly, by the ids of their elements."""
        self.is_continuation = bool(blocks) and not generation.rounds
        """Whether the model continues its own answer."""
        self._continues_text = self.is_continuation and is_text(blocks[-1])
        # An earlier claim may have begun it.
        self.draft = Draft(blocks, generation.usage)
        self.thinking_seconds = generation.thinking_seconds
        self.first_token_at: datetime | None = generation.first_token_at
        self.has_grown = False
        """Whether the model has written something since this claim."""
        self._renderer = Renderer()
        self._blocks: list[LiveBlock | None] = []
        """By index in the draft; None for blocks that are not shown."""
        self._load(blocks)

    def start(self) -> None:
        """Replaces the empty message on the page by one that can grow."""
        with self._showing():
            self._send(render_replacement(self.message, self._shown_blocks()))

    def carry(self, batch: Iterable[ReplyEvent]) -> None:
        events = [self._take(event) for event in merge_growth(self._continue_text(batch))]
        with self._showing():
            if self._is_behind:
                self._show_whole()
            else:
                self._show(events)

    def take_result(self, result: dict[str, Any]) -> None:
        """Shows the result of a tool on the card of its call."""
        self.draft.add_result(result)
        with self._showing():
            if self._is_behind:
                self._show_whole()
            else:
                self._blocks.append(None)
                self._send("".join(self._render_replacement(block) for block in self._apply_results([result])))

    def take_progress(self, use_id: str, note: str) -> None:
        """Shows how far a tool has come. The notes of all tools are sent together, a few times a second."""
        for block in self._live_blocks:
            if block.use and block.use.get("id") == use_id and block.note != note:
                block.note = note
                if not self._new_notes:
                    asyncio.get_running_loop().call_later(NOTES_PAUSE, self._send_notes)
                self._new_notes[block.id] = block

    def _send_notes(self) -> None:
        blocks, self._new_notes = self._new_notes.values(), {}
        running = [block for block in blocks if block.is_on_page and block.progress == Progress.RUNNING]
        if running and not (self.has_ended or self._is_behind):
            with self._showing():
                notes = (render_partial(f"#{block.id}-note", "innerHTML", escape(block.note)) for block in running)
                self._send("".join(notes))

    def end(self, saved: Message) -> None:
        """Replaces the whole message, so that even a tab that missed everything ends up right."""
        self.has_ended = True
        frame = Frame("", revision=saved.revision, branch=saved.branch_id, message=saved.pk, must_catch_up=True)
        with self._showing():
            frame = build_frame(saved)
        # It has a `seq` too: a viewer that got the snapshot after the save must not skip it as a known revision.
        self.seq += 1
        send(self.generation.conversation_id, frame._replace(relay=self.key, seq=self.seq))
        close_revision(self.generation.conversation_id, saved.revision)

    def snapshot(self, since: int | None) -> Frame:
        """Returns the message as it is now, for a viewer of revision `since` that joins late or has missed frames."""
        if self._is_behind:
            self._load(self.draft.blocks, is_growing=True)
        is_on_page = since is None or since >= self.message.shown_since
        render = render_replacement if is_on_page else render_insertion
        return self._frame(render(self.message, self._shown_blocks()))

    def _load(self, blocks: list[dict[str, Any]], *, is_growing: bool = False) -> None:
        """Replaces the blocks on the page. The last one is open if the reply `is_growing`."""
        self._blocks = []
        for block in blocks:
            self._open(block, is_on_page=True)
        for shown in self._live_blocks:
            shown.is_open, shown.progress = False, Progress.RUNNING
        self._apply_results(blocks)
        if is_growing and (last := self._last_block()) and not self.draft.end:
            last.is_open = last.use is None or "raw_input" in last.use
            if last.use and last.is_open:
                last.progress, last.written = Progress.WRITING, last.use.pop("raw_input")

    @contextmanager
    def _showing(self) -> Iterator[None]:
        """Keeps an error from ending the reply: its text can be saved although it cannot be shown now."""
        try:
            yield
        except Exception as error:
            self._is_behind = True
            showing_failures.note_failure(error)

    def _show(self, events: Iterable[ReplyEvent]) -> None:
        updates = [update for event in events for update in self._updates_for(event)]
        updates += self._new_blocks()
        if updates:
            self._send("".join(updates))

    def _show_whole(self) -> None:
        self._load(self.draft.blocks, is_growing=True)
        self._send(render_replacement(self.message, self._shown_blocks()))
        self._is_behind = False
        showing_failures.note_success()

    def _take(self, event: ReplyEvent) -> ReplyEvent:
        """Adds an event to the draft, and returns it as the draft has it."""
        event = self.draft.with_unique_id(event)
        self.draft.apply(event)
        if isinstance(event, SettingRefused):
            self.generation.add_notes(event.remark)
        if not self.has_grown and isinstance(event, BlockGrew | BlockOpened):
            self.has_grown = True
            self.first_token_at = self.first_token_at or now()
        return event

    @property
    def _live_blocks(self) -> list[LiveBlock]:
        return [block for block in self._blocks if block]

    def _shown_blocks(self) -> list[ShownBlock]:
        return [self._as_shown(block) for block in self._live_blocks]

    def _send(self, html: str) -> None:
        self.seq += 1
        send(self.generation.conversation_id, self._frame(html))

    def _frame(self, html: str) -> Frame:
        message = self.message
        return Frame(html, relay=self.key, seq=self.seq, branch=message.branch_id, message=message.pk)

    def _continue_text(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        """Appends the first text of a continuation to the existing text.

        Drops the thinking before it, which would appear in the middle of a sentence.
        """
        for event in events:
            kind = event.block.get("type") if isinstance(event, BlockOpened) else ""
            if self._continues_text and isinstance(event, BlockOpened) and kind == "text":
                self._continues_text = False
                yield BlockGrew(shown_text(event.block))
            elif self._continues_text and kind in ("tool_use", "image"):
                self._continues_text = False
                yield event
            elif self.is_continuation and isinstance(event, TextWasThinking):
                # The text so far is part of the same block.
                yield BlockClosed({})
            elif not self._continues_text or not isinstance(event, BlockOpened | BlockGrew | BlockClosed):
                yield event

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
                    block.markdown.feed(self.draft.blocks[len(self._blocks) - 1]["thinking"])
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
        if self.message.generation:
            self.message.generation.thinking_seconds = self.thinking_seconds

    def _open(self, content: Mapping[str, Any], *, is_on_page: bool = False) -> None:
        kind, image = content["type"], answered_image(content)
        if kind not in SHOWN and kind != "tool_use" and not image:
            self._blocks.append(None)
            return
        block = LiveBlock(
            element_id(self.message.pk, len(self._blocks)), kind, StreamingMarkdown(self._renderer), time.monotonic()
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
            html = "".join(render_block(self._as_shown(block), self.message) for block in new)
            yield render_partial(f"#m{self.message.pk}-body", "beforeend", html)

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
        return render_partial(f"#{block.id}", "outerMorph", render_block(self._as_shown(block), self.message))

    def _last_block(self) -> LiveBlock | None:
        return self._blocks[-1] if self._blocks else None

    def _as_shown(self, block: LiveBlock) -> ShownBlock:
        shown = None
        if block.use:
            written = block.written if block.is_open else ""
            shown = build_card(block.use, block.progress, block.result, written, block.note)
        return ShownBlock(block.id, block.kind, block.markdown.html, block.is_open, shown, block.image)


def merge_growth(events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
    """Yields the same events with a block's growth in one piece, so that it is parsed and sent once.

    Usage that was reported in between comes before that growth.
    """
    pieces: list[str] = []
    for event in events:
        if isinstance(event, BlockGrew):
            pieces.append(event.text)
            continue
        if pieces and isinstance(event, BlockOpened | InputGrew | BlockClosed | TextWasThinking):
            yield BlockGrew("".join(pieces))
            pieces.clear()
        yield event
    if pieces:
        yield BlockGrew("".join(pieces))
