"""Markdown as safe HTML: parsed, written with everything escaped, and sanitised."""

import logging
import re

from conversations.markdown import math, typed
from conversations.markdown.drawing_time import DrawingTime
from conversations.markdown.sanitise import escape, normalise
from conversations.markdown.writer import Writer

logger = logging.getLogger(__name__)

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
"""The letters of Hebrew, Arabic, and other scripts that are written from right to left."""


class Renderer:
    """Renders the texts of one message, whose colours and formulas share one limit of time."""

    def __init__(self, time: DrawingTime | None = None) -> None:
        self._time = time or DrawingTime()
        self.sections: list[int] = []
        """The numbers of # of the headings that the next part of a growing text is under."""

    def begin_text(self) -> "Renderer":
        """Returns a renderer for the parts of one growing text of the message."""
        return Renderer(self._time)

    def render(self, text: str) -> str:
        """Returns the whole Markdown of a model as safe HTML."""
        return self._write(normalise(text), [], growing=False)

    def render_next(self, text: str) -> str:
        """Returns the next complete part of a growing text as safe HTML."""
        return self._write(normalise(text), self.sections, growing=False)

    def render_typed(self, text: str) -> str:
        """Returns what a person has typed as safe HTML: as it was typed, with code and links."""
        return typed.render(normalise(text), self._time)

    def render_growing(self, text: str) -> str:
        """Returns a normalised text that still grows as safe HTML. An open block of code has no colours."""
        return self._write(text, self.sections.copy(), growing=True)

    def _write(self, text: str, sections: list[int], *, growing: bool) -> str:
        try:
            events = math.parse_with_formulas(text)
            has_two_directions = _RIGHT_TO_LEFT.search(text) is not None
            return Writer(events, self._time, sections, growing=growing, has_two_directions=has_two_directions).write()
        except Exception:
            # A text that we fail to render must not make the whole conversation unreadable.
            logger.exception("A text of %s characters could not be rendered", len(text))
            return f'<p class="raw">{escape(text).replace("\n", "<br>")}</p>'


def render(text: str) -> str:
    """Returns the only text of a model's message as safe HTML."""
    return Renderer().render(text)
