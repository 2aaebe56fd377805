"""The open end of a text: rendered again as it grows, except for plain words, which are appended."""

import re
from collections.abc import Callable
from typing import Final

from conversations.markdown.growing.patch import Patch, find_open_elements

_PLAIN = re.compile(r"[^\x00-\x1f#$&()*/<>\[\\\]_`{|}~\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
"""Characters without a meaning in Markdown or HTML in the middle of a line. Of the spaces, only the ASCII one is."""
_END_OF_CELL = re.compile("</td>")
_LETTER = re.compile(r"[^\W\d_]")


class OpenEnd:
    """A text's last rendering, and the text since.

    `within` selects the element that holds the HTML. The cost of a long text stays linear: each feed pays for rendering
    LENGTH_PER_FEED characters, and the text is rendered again when the last rendering is paid.
    """

    LENGTH_PER_FEED: Final = 4096

    def __init__(self, within: str) -> None:
        self._within = within
        self._unpaid = 0
        self._pieces, self._html, self._foot = [""], [""], ""
        self._view: str | None = ""
        self._target: str | None = None
        self._spaces = ""

    @property
    def source(self) -> str:
        return "".join(self._pieces)

    @property
    def html(self) -> str:
        return "".join(self._html) + self._foot

    def show(self, source: str, view: str, render: Callable[[str], str]) -> None:
        """Renders `view`, the preview of `source`, unless it is shown already."""
        html = self.html if view == self._view else render(view)
        self._unpaid = max(self._unpaid, -self.LENGTH_PER_FEED) + len(source)
        self._pieces, self._view, self._html, self._foot = [source], view, [html], ""
        self._target, self._spaces = None, ""

    def feed(self, text: str) -> list[Patch] | None:
        """Takes the next piece of text. Returns what changes on the page, or None if it is time to render again."""
        self._pieces.append(text)
        self._unpaid -= self.LENGTH_PER_FEED
        if _PLAIN.fullmatch(text) and self._can_append():
            return self._append(text)
        self._target = ""
        return [] if self._unpaid > 0 else None

    def _can_append(self) -> bool:
        """Whether a rendering would show plain text as it is, and change nothing before it."""
        if self._target is None:
            self._target = self._find_target()
        return self._target != ""

    def _find_target(self) -> str:
        """Returns the selector of the element to append plain text to, empty if it may mean more than it says."""
        source, html = self._pieces[0], self._html[0]
        shown = source.rstrip(" ")
        line = shown[shown.rfind("\n") + 1 :]
        # A line without letters may become an item, a rule or a table. What follows a bracket may be a definition.
        is_text = _PLAIN.fullmatch(line, line.rfind(" ") + 1) and _LETTER.search(line) and "]:" not in shown
        if not is_text or shown != self._view:
            return ""
        end, target = self._find_end(line, html)
        if not html.endswith(shown[-1], 0, end):
            return ""
        self._html, self._foot = [html[:end]], html[end:]
        self._spaces = source[len(shown) :]
        return target

    def _find_end(self, line: str, html: str) -> tuple[int, str]:
        """Returns where the text of the last line ends in the HTML, and the selector of its element."""
        if "|" not in line:
            _, end, target = find_open_elements(html, self._within)[0]
            return end, target
        cells = [found.start() for found in _END_OF_CELL.finditer(html)]
        number = line.count("|")
        # Only the HTML of a single row tells which cell the line ends in.
        if not html.startswith("<tr>") or not line.startswith("|") or "\\" in line or number > len(cells):
            return 0, ""
        return cells[number - 1], f"{self._within} > tr:last-child > td:nth-child({number})"

    def _append(self, text: str) -> list[Patch]:
        text = self._spaces + text
        shown = text.rstrip(" ")
        # Markdown drops spaces at the end of a line, so they wait for what follows.
        self._spaces = text[len(shown) :]
        if not shown:
            return []
        self._html.append(shown)
        self._view = None
        return [Patch(self._target or "", "beforeend", shown)]
