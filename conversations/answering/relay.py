"""Carries a growing reply to its viewers, batch by batch."""

import asyncio
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.utils.timezone import now

from chatsite.failures.failure_log import FailureLog
from conversations.answering.draft import Draft
from conversations.answering.page_blocks import PageBlocks
from conversations.live.blocks import shown_text
from conversations.live.broadcasts import (
    build_frame,
    close_revision,
    render_insertion,
    render_replacement,
    send,
)
from conversations.live.hub import Frame
from conversations.models import Generation, Message
from conversations.models.message import blocks_to_continue, is_text
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, InputGrew, ReplyEvent, SettingRefused, TextWasThinking

NOTES_PAUSE = 0.25
"""Seconds between two updates of what running tools report."""

showing_failures = FailureLog("Showing an answer")


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
        self.is_continuation = bool(blocks) and not generation.rounds
        """Whether the model continues its own answer."""
        self._continues_text = self.is_continuation and is_text(blocks[-1])
        # An earlier claim may have begun it.
        self.draft = Draft(blocks, generation.usage)
        self._page = PageBlocks(message, self.draft, generation.thinking_seconds)
        self.first_token_at: datetime | None = generation.first_token_at
        self.has_grown = False
        """Whether the model has written something since this claim."""

    @property
    def thinking_seconds(self) -> float | None:
        """How long the model has thought so far."""
        return self._page.thinking_seconds

    def start(self) -> None:
        """Replaces the empty message on the page by one that can grow."""
        with self._showing():
            self._send(render_replacement(self.message, self._page.shown))

    def carry(self, batch: Iterable[ReplyEvent]) -> None:
        events = [self._take(event) for event in merge_growth(self._continue_text(batch))]
        with self._showing():
            if self._is_behind:
                self._show_whole()
            elif updates := self._page.update(events):
                self._send("".join(updates))

    def take_result(self, result: dict[str, Any]) -> None:
        """Shows the result of a tool on the card of its call."""
        self.draft.add_result(result)
        with self._showing():
            if self._is_behind:
                self._show_whole()
            else:
                self._send("".join(self._page.add_result(result)))

    def take_progress(self, use_id: str, note: str) -> None:
        """Shows how far a tool has come. The notes of all tools are sent together, a few times a second."""
        if self._page.add_note(use_id, note):
            asyncio.get_running_loop().call_later(NOTES_PAUSE, self._send_notes)

    def _send_notes(self) -> None:
        with self._showing():
            updates = self._page.take_notes()
            if updates and not (self.has_ended or self._is_behind):
                self._send("".join(updates))

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
            self._page.reload()
        is_on_page = since is None or since >= self.message.shown_since
        render = render_replacement if is_on_page else render_insertion
        return self._frame(render(self.message, self._page.shown))

    @contextmanager
    def _showing(self) -> Iterator[None]:
        """Keeps an error from ending the reply: its text can be saved although it cannot be shown now."""
        try:
            yield
        except Exception as error:
            self._is_behind = True
            showing_failures.note_failure(error)

    def _show_whole(self) -> None:
        self._page.reload()
        self._send(render_replacement(self.message, self._page.shown))
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
