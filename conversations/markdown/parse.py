"""The one parser and its dialect.

It is CommonMark with GitHub's tables, task lists, strikethrough, footnotes and alerts, and with math.
"""

from collections.abc import Iterator
from typing import Any

from pyromark import Markdown, Options

# The parser's own types are a union of dozens of TypedDicts, which type checkers cannot narrow.
type Event = Any
type Span = Any

INLINE = ("Emphasis", "Strong", "Strikethrough", "Link", "Image")
"""The elements that do not end the line they are on."""

_parser = Markdown(
    options=Options.ENABLE_TABLES
    | Options.ENABLE_STRIKETHROUGH
    | Options.ENABLE_TASKLISTS
    | Options.ENABLE_MATH
    | Options.ENABLE_FOOTNOTES
    | Options.ENABLE_GFM
)


def parse(text: str) -> list[Event]:
    return list(_parser.events(text))


def parse_with_range(text: str) -> Iterator[tuple[Event, Span]]:
    """Yields events with their start and end as UTF-8 byte offsets."""
    return _parser.events_with_range(text)
