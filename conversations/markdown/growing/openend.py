"""The open end of a text on the page: rendered anew while it is small, else grown by plain text in between."""

import re
from typing import Final

from conversations.markdown.growing.openline import OpenLine
from conversations.markdown.growing.patch import Patch

SMALL: Final = 1024
"""Characters up to which each change is rendered; beyond, a rendering waits for growth by one part in GROWTH."""
GROWTH: Final = 16

# What may end a block although the text has grown too little to look: worth a few looks, not one at every line.
_NEW_BLOCK = re.compile(r"\n[ \t]*\n[^ \t\n]|\n(?:#{1,6} |```|~~~|[-*+] |[0-9]{1,9}[.)] )")
_LOOKS: Final = 2


class OpenEnd:
    """Its last rendering, the text since, and the line that the text goes on in.

    `within` selects the parent of the rendered HTML.
    """

    def __init__(self, within: str) -> None:
        self._within = within
        self._source = self._view = self._html = ""
        self._line: OpenLine | None = None
        self._fresh: list[str] = []
        self._grown = 0
        self._recent = ""
        self._looks = _LOOKS
        self._expects_block = False

    @property
    def source(self) -> str:
        return self._source + "".join(self._fresh)

    @property
    def html(self) -> str:
        return self._line.html if self._line else self._html

    def show(self, source: str, view: str, html: str) -> None:
        """Takes over a rendering: `html` shows `view`, the presentable part of `source`."""
        if len(source) - len(self._source) >= len(self._source) / GROWTH or len(source) < len(self._source):
            self._looks = _LOOKS
        self._source, self._view, self._html, self._line = source, view, html, None
        self._fresh, self._grown = [], 0
        self._recent, self._expects_block = source[-16:], False

    def take(self, text: str) -> list[Patch] | None:
        """Grows by a text and says how the page does; None if it is time to render again."""
        self._fresh.append(text)
        self._grown += len(text)
        line = self._line
        if line is None:
            line = self._line = OpenLine(self._source, self._view, self._html, self._within)
        patches = line.grow(text)
        if patches is not None:
            self._recent = (self._recent + text)[-16:]
            return patches
        if len(self._source) < SMALL or self._grown * GROWTH >= len(self._source) or self._starts_block(text):
            return None
        return line.append(text)

    def _starts_block(self, text: str) -> bool:
        recent = self._recent + text
        self._recent = recent[-16:]
        is_due = self._expects_block and "\n" in text
        found = _NEW_BLOCK.search(recent)
        if self._looks and (is_due or (found and found[0][-1] not in " `~")):
            self._looks -= 1
            return True
        self._expects_block = self._expects_block or found is not None
        return False
