"""Markdown as safe HTML, whole or in parts: parsed, written with everything escaped, and sanitised."""

from conversations.markdown import math
from conversations.markdown.parse import parse
from conversations.markdown.sanitise import readable
from conversations.markdown.writer import Writer


def render(text: str, *, breaks: bool = False) -> str:
    """Safe HTML of a whole text; with `breaks`, a single newline is a line break, as people expect of a chat."""
    return _rendered(readable(text), breaks=breaks, growing=False)


def render_growing(text: str, *, breaks: bool = False) -> str:
    """Safe HTML of a readable text that is not at its end; a block of code still open at its end stays uncoloured."""
    return _rendered(text, breaks=breaks, growing=True)


def render_closed(text: str, *, breaks: bool = False) -> str:
    """Safe HTML of a readable text that will not change."""
    return _rendered(text, breaks=breaks, growing=False)


def _rendered(text: str, *, breaks: bool, growing: bool) -> str:
    events = math.events_with_formulas(text) if "\\(" in text or "\\[" in text else parse(text)
    return Writer(events, breaks=breaks, growing=growing).html()
