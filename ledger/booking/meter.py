"""Measures the usage of a call from its events as they pass."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ledger.token_estimates import estimate_image
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

CHARACTERS_PER_TOKEN: Final = 4
MAX_CHARACTERS_PER_TOKEN: Final = 40
"""The most that whole replies have on average. An upstream that reports fewer tokens has not counted its output."""


class Meter:
    """Measures one call with the figures of the upstream, and estimates those that it does not report.

    It counts characters and keeps none of the content, so it costs the same for a reply of any length.
    """

    def __init__(self, prompt_tokens: int) -> None:
        self.prompt_tokens = prompt_tokens
        """The estimate that was reserved."""
        self.facts = ReplyFacts()
        self.characters = self._image_tokens = 0
        self.has_begun = False
        """Whether any event of a reply has arrived."""
        self.has_content = False
        self.seconds_to_first: float | None = None
        self._began = time.monotonic()
        self.abandoned = Usage()
        """The reported usage of abandoned attempts."""

    def take(self, events: Sequence[ReplyEvent]) -> None:
        for event in events:
            kind = type(event)
            # Almost every event has one of these two types.
            if kind is BlockGrew or kind is InputGrew:
                self.characters += len(event.text)  # type: ignore[union-attr]
                self.has_content = True
            else:
                self._note(event)
        self.has_begun = self.has_begun or bool(events)
        if self.has_content and self.seconds_to_first is None:
            self.seconds_to_first = time.monotonic() - self._began

    def abandon(self, events: Sequence[ReplyEvent]) -> None:
        """Adds the usage that the upstream has reported for an attempt that will be repeated."""
        for event in events:
            if isinstance(event, UsageReported):
                self.abandoned = self.abandoned + event.usage

    def assume(self, tokens: int) -> None:
        """Counts output that was written without its events being seen."""
        self.characters += CHARACTERS_PER_TOKEN * tokens

    def _note(self, event: ReplyEvent) -> None:
        match event:
            case BlockOpened(block):
                self.has_content = True
                # A block may arrive whole. Only its texts count, but not its type.
                self.characters += sum(len(value) for value in block.values() if isinstance(value, str))
                self.characters -= len(block.get("type", ""))
                if block.get("type") == "image":
                    self._image_tokens += estimate_image({})
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
        """Input and output are always known. Other figures are unknown if the upstream reported none."""
        reported = self.facts.usage
        if reported.input_tokens is None:
            cached = (reported.cache_read_tokens or 0) + (reported.cache_write_tokens or 0)
            reported = replace(reported, input_tokens=max(0, self.prompt_tokens - cached))
        if not self._is_final:
            written = -(-self.characters // CHARACTERS_PER_TOKEN) + self._image_tokens
            reported = replace(reported, output_tokens=max(reported.output_tokens or 0, written))
        return reported + self.abandoned

    @property
    def _is_final(self) -> bool:
        output = self.facts.usage.output_tokens
        if self.facts.end is None or output is None:
            return False
        return self.characters <= output * MAX_CHARACTERS_PER_TOKEN
