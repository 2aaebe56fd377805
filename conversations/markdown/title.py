"""A conversation's title from the first line that somebody wrote in it."""

from typing import Final

from conversations.markdown.parse import INLINE, parse
from conversations.markdown.sanitise import readable

LONGEST: Final = 60
_LOOKED_AT: Final = 2000
# They take no room, but join what scripts and emoji join.
_JOINERS: Final = "\u200c\u200d"


def title_from(text: str) -> str:
    """The first line as plain text without Markdown's marks, cut between words; empty if there is nothing to read."""
    for line in _plain(readable(text[:_LOOKED_AT])).split("\n"):
        if title := " ".join(_visible(line).split()):
            return _cut(title)
    return ""


def _plain(text: str) -> str:
    pieces: list[str] = []
    for event in parse(text):
        if isinstance(event, str):
            pieces.append("\n")
            continue
        for kind, value in event.items():
            if kind == "End" and value not in INLINE:
                pieces.append("\n")
            elif kind not in ("Start", "End", "TaskListMarker"):
                pieces.append(value)
    return "".join(pieces)


def _visible(line: str) -> str:
    """The line without controls, and without what turns the direction of writing."""
    return "".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in line)


def _cut(title: str) -> str:
    if len(title) <= LONGEST:
        return title
    cut = title[:LONGEST].rsplit(" ", 1)[0] if " " in title[: LONGEST + 1] else title[: LONGEST - 1]
    return f"{cut.rstrip(' ,.;:–—-')}…"
