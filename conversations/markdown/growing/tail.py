"""The last, open block of a growing text, which the page shows in its tail."""

from dataclasses import dataclass
from typing import Final, Protocol

from conversations.markdown.growing.patch import Patch

LINES_PER_PART: Final = 40
"""A long block that grows comes in parts, because a browser lays out and paints only the last part again."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The first `length` characters of the tail's source are closed for good. What follows needs another look."""

    length: int


class Tail(Protocol):
    """An open block that grows in its own cheapest way."""

    @property
    def source(self) -> str: ...
    @property
    def html(self) -> str: ...
    def feed(self, text: str) -> list[Patch] | Closed: ...
