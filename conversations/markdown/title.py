"""A conversation's title, made from the first line of its first message."""

from typing import Final

from conversations.markdown.parse import INLINE, parse
from conversations.markdown.sanitise import normalise
from conversations.markdown.spaceless import is_letter

LONGEST: Final = 60
_LOOKED_AT: Final = 2000
# They are invisible, but scripts and emoji need them.
_JOINERS: Final = "\u200c\u200d"


def title_from(text: str) -> str:
    """Returns the first line without Markdown's marks, cut between words. Empty if there is nothing to read."""
    for line in _extract_text(normalise(text[:_LOOKED_AT])).split("\n"):
        if title := " ".join(_replace_invisible(line).split()):
            return _shorten(title)
    return ""


def _extract_text(text: str) -> str:
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


def _replace_invisible(line: str) -> str:
    """Replaces control characters and those that change the direction of writing by spaces."""
    return "".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in line)


def _shorten(title: str) -> str:
    if len(title) <= LONGEST:
        return title
    cut, space = title[: LONGEST - 1], title.rfind(" ", 0, LONGEST)
    if space > LONGEST / 2 and not is_letter(title[LONGEST - 1]):
        cut = title[:space]
    return f"{cut.rstrip(' ,.;:–—-')}…"
