"""Markdown as safe HTML: parsed, written with everything escaped, and sanitised."""

import logging

from conversations.markdown import math
from conversations.markdown.parse import parse
from conversations.markdown.sanitise import escape, normalise
from conversations.markdown.writer import Writer

logger = logging.getLogger(__name__)


def render(text: str, *, breaks: bool = False) -> str:
    """Returns a whole text as safe HTML. With `breaks`, each newline breaks the line, as people expect in a chat."""
    return _render(normalise(text), breaks=breaks, growing=False)


def render_growing(text: str) -> str:
    """Returns a normalised text that still grows as safe HTML. An open block of code has no colours."""
    return _render(text, breaks=False, growing=True)


def _render(text: str, *, breaks: bool, growing: bool) -> str:
    try:
        events = math.parse_with_formulas(text) if "\\(" in text or "\\[" in text else parse(text)
        return Writer(events, breaks=breaks, growing=growing).write()
    except Exception:
        # A text that we fail to render must not make the whole conversation unreadable.
        logger.exception("A text of %s characters could not be rendered", len(text))
        return f'<p class="raw">{escape(text).replace("\n", "<br>")}</p>'
