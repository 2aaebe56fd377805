"""Markdown as safe HTML: parsed, written with everything escaped, and sanitised."""

import logging

from conversations.markdown import math
from conversations.markdown.drawing_time import DrawingTime
from conversations.markdown.parse import parse
from conversations.markdown.sanitise import escape, normalise
from conversations.markdown.writer import Writer

logger = logging.getLogger(__name__)


class Renderer:
    """Renders the texts of one message, whose colours and formulas share one limit of time."""

    def __init__(self, time: DrawingTime | None = None) -> None:
        self._time = time or DrawingTime()

    def render(self, text: str, *, breaks: bool = False) -> str:
        """Returns a whole text as safe HTML. With `breaks`, each newline breaks the line, as people expect."""
        return self._write(normalise(text), breaks=breaks, growing=False)

    def render_growing(self, text: str) -> str:
        """Returns a normalised text that still grows as safe HTML. An open block of code has no colours."""
        return self._write(text, breaks=False, growing=True)

    def _write(self, text: str, *, breaks: bool, growing: bool) -> str:
        try:
            events = math.parse_with_formulas(text) if "\\(" in text or "\\[" in text else parse(text)
            return Writer(events, self._time, breaks=breaks, growing=growing).write()
        except Exception:
            # A text that we fail to render must not make the whole conversation unreadable.
            logger.exception("A text of %s characters could not be rendered", len(text))
            return f'<p class="raw">{escape(text).replace("\n", "<br>")}</p>'


def render(text: str, *, breaks: bool = False) -> str:
    """Returns the only text of a message as safe HTML."""
    return Renderer().render(text, breaks=breaks)
