"""What a call comes to, read off its events as they pass."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from upstreams.events import (
    BlockClosed,
    BlockGrew,
    BlockOpened,
    InputGrew,
    ReplyEvent,
    Usage,
    UsageReported,
)
from upstreams.reply import ReplyFacts

CHARACTERS_A_TOKEN: Final = 4
MOST_CHARACTERS_A_TOKEN: Final = 40
"""In the mean of a whole reply; an upstream that says less has not counted what it wrote."""


class Meter:
    """Counts one call. The upstream's figures are taken as they are; what it does not report is estimated.

    It counts characters and keeps none of the content, so it costs the same for a reply of any length.
    """

    def __init__(self, prompt_tokens: int) -> None:
        self.prompt_tokens = prompt_tokens
        """The estimate that was reserved."""
        self.facts = ReplyFacts()
        self.characters = 0
        self.has_begun = False
        """Something has come that only a reply is made of."""
        self.has_content = False
        self.seconds_to_first: float | None = None
        self._began = time.monotonic()
        self.abandoned = Usage()
        """What was counted for attempts that came to nothing."""

    def take(self, events: Sequence[ReplyEvent]) -> None:
        for event in events:
            kind = type(event)
            # Almost every event is one of these two.
            if kind is BlockGrew or kind is InputGrew:
                self.characters += len(event.text)  # type: ignore[union-attr]
                self.has_content = True
            else:
                self._note(event)
        self.has_begun = self.has_begun or bool(events)
        if self.has_content and self.seconds_to_first is None:
            self.seconds_to_first = time.monotonic() - self._began

    def abandon(self, events: Sequence[ReplyEvent]) -> None:
        """An attempt that came to nothing and is made again; what the upstream has counted for it stays counted."""
        for event in events:
            if isinstance(event, UsageReported):
                self.abandoned = self.abandoned + event.usage

    def assume(self, tokens: int) -> None:
        """That so much was written, where nobody has seen it come."""
        self.characters += CHARACTERS_A_TOKEN * tokens

    def _note(self, event: ReplyEvent) -> None:
        match event:
            case BlockOpened(block):
                self.has_content = True
                # A block may come whole; its figures, ids and names count as little as the frame of a prompt does.
                self.characters += sum(len(value) for value in block.values() if isinstance(value, str))
                self.characters -= len(block.get("type", ""))
            case BlockClosed():
                self.has_content = True
            case _:
                self.facts.note(event)

    @property
    def is_estimate(self) -> bool:
        reported = self.facts.usage
        return reported.input_tokens is None or reported.output_tokens is None or not self._is_final

    @property
    def usage(self) -> Usage:
        """With input and output always known; "unknown" stays what no part of the call was said to be."""
        reported = self.facts.usage
        if reported.input_tokens is None:
            cached = (reported.cache_read_tokens or 0) + (reported.cache_write_tokens or 0)
            reported = replace(reported, input_tokens=max(0, self.prompt_tokens - cached))
        if not self._is_final:
            written = -(-self.characters // CHARACTERS_A_TOKEN)
            reported = replace(reported, output_tokens=max(reported.output_tokens or 0, written))
        return reported + self.abandoned

    @property
    def _is_final(self) -> bool:
        output = self.facts.usage.output_tokens
        return self.facts.end is not None and output is not None and self.characters <= output * MOST_CHARACTERS_A_TOKEN
