"""Markdown as safe HTML: parsed, written with everything escaped, and sanitised."""

from conversations.markdown import math
from conversations.markdown.parse import parse
from conversations.markdown.sanitise import normalise
from conversations.markdown.writer import Writer


def render(text: str, *, breaks: bool = False) -> str:
    """Returns a whole text as safe HTML. With `breaks`, each newline breaks the line, as people expect in a chat."""
    return _render(normalise(text), breaks=breaks, growing=False)


def render_growing(text: str) -> str:
    """Returns a normalised text that still grows as safe HTML. An open block of code has no colours."""
    return _render(text, breaks=False, growing=True)


def _render(text: str, *, breaks: bool, growing: bool) -> str:
    events = math.parse_with_formulas(text) if "\\(" in text or "\\[" in text else parse(text)
    return Writer(events, breaks=breaks, growing=growing).write()
