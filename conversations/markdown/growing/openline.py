"""The line that a text stops in, as it is shown: it grows in place as long as it is certain what comes means."""

import re
from collections.abc import Sequence
from typing import Final

from conversations.markdown.growing.cut import ELEMENTS, Cut, cut_open, cut_row, start_of_row
from conversations.markdown.growing.patch import Patch
from conversations.markdown.growing.place import PLAIN, Joint, Place, Step
from conversations.markdown.growing.unfinished import MARKS, is_in_address, start_of_text
from conversations.markdown.sanitise import escape, words

_CLOSINGS: Final[dict[str, tuple[str, ...]]] = {
    **{"": (), "`**": ("**", "`"), "`*": ("*", "`")},
    **{mark: (mark,) for mark in ELEMENTS},
}
"""What closes a text for the moment, and the marks that are open there, outermost first."""
_HEADINGS: Final = words("h2 h3 h4 h5 h6")
_OF_TEXT: Final = _HEADINGS | words("code li p td")
_ENDS_OF_MARKS: Final = ("</strong>", "</em>", "</code>", "</a>", "</del>", "</math>")
_BEFORE_HEADING: Final = " \t>-*+.)0123456789#"
_LONGEST_WAIT: Final = 200

_LETTER = re.compile(r"[^\W\d_]")
_LAST_WORD = re.compile(r"[^\s|]*\Z")
_PLAIN_WORD = re.compile(rf"[(]*(?:\*\*?)?{PLAIN.pattern}|")
_LINES_OF_MARKS = re.compile(rf"(?:[ \t]*\n)*{MARKS.pattern}")
_ADDRESS = re.compile(r"[^()\s`]+")
_MARK_THAT_WAITS = re.compile(r"&lt;|[*_~$`\[\]\\]")
_NO_TEXT = re.compile(r"<code>[^<]*</code>|<[^>]*>")


class OpenLine:
    """Shows what a rendering of the whole would show, or nothing: it takes only what leaves the rest as it is."""

    def __init__(self, source: str, view: str, html: str, within: str) -> None:
        """`html` shows `view`, the presentable part of `source`, in the element that `within` selects."""
        shown, marks = _shown(source, view)
        line = shown[shown.rfind("\n") + 1 :]
        cell, cells = _cells(line, html)
        self._cut = cut_row(html, within, min(cell, cells)) if cells else cut_open(html, within)
        is_text = self._cut.name in _OF_TEXT and (cell <= cells or not marks)
        self._can_grow = is_text and _is_certain(shown, line, self._cut) and self._cut.open_marks(marks)
        joint = _joint(line, marks, self._cut)
        marks = marks if self._can_grow else ()
        self._place = Place(shown[-1:], joint, marks, cell, cells, is_heading=self._cut.name in _HEADINGS)
        self._was_searched = False
        self._target = self._cut.target
        self._parts = [self._cut.head]
        self._held = source[len(shown) :] if shown else ""
        self._is_in_address = not shown and is_in_address(source)

    @property
    def html(self) -> str:
        return "".join(self._parts) + _end_tags(self._place.marks) + self._cut.foot

    def grow(self, text: str) -> list[Patch] | None:
        """What changes on the page; None if the text may mean more than it says."""
        if not self._can_grow or len(self._held) > _LONGEST_WAIT:
            return [] if self._is_in_address and _ADDRESS.fullmatch(text) else None
        text = self._held + text
        if self._place.takes_plain and PLAIN.fullmatch(text):
            return self._add_plain(text)
        line, newline, rest = text.partition("\n")
        if newline and not self._may_wait(rest):
            return None
        patches = self._read(line, ends=bool(newline))
        if newline and patches is not None:
            self._held += newline + rest
        return patches

    def append(self, text: str) -> list[Patch]:
        """Shows a text as it is written, whatever it means."""
        self._can_grow = self._is_in_address = False
        self._parts.append(escape(self._held + text))
        self._held = ""
        return [Patch(self._target, "beforeend", self._parts[-1])]

    def _may_wait(self, rest: str) -> bool:
        """Whether the end of the line shows nothing, and neither does the rest after it."""
        return self._cut.name != "code" and _LINES_OF_MARKS.fullmatch(rest) is not None

    def _add_plain(self, text: str) -> list[Patch]:
        # Markdown drops spaces at the end of a line, so they wait for what follows.
        shown = text.rstrip(" ")
        self._held = text[len(shown) :]
        if not shown:
            return []
        self._place.before = shown[-1]
        self._parts.append(escape(shown))
        return [Patch(self._target, "beforeend", self._parts[-1])]

    def _read(self, text: str, *, ends: bool) -> list[Patch] | None:
        if self._cut.name == "code":
            return None
        if not self._was_searched:
            self._was_searched = True
            self._place.is_settled = not _MARK_THAT_WAITS.search(_NO_TEXT.sub("", self._text()))
        place = self._place.copy()
        read = place.read(text)
        if read is None or (ends and (place.marks or read[1].strip(" "))):
            return None
        steps, self._held = read
        self._place = place
        return self._show(steps)

    def _text(self) -> str:
        """The HTML of the open block."""
        html = "".join(self._parts)
        return html[html.rfind(f"<{self._cut.name}") :]

    def _show(self, steps: list[Step]) -> list[Patch]:
        patches: list[Patch] = []
        fresh: list[str] = []
        opened: list[str] = []
        for kind, value in steps:
            if kind == "text":
                fresh.append(escape(value))
            elif kind == "open":
                opened.append(value)
                fresh.append(f"<{ELEMENTS[value]}>")
            elif kind == "close" and opened:
                fresh.append(f"</{ELEMENTS[opened.pop()]}>")
            else:
                patches += self._appended(fresh, ())
                fresh = []
                self._leave(kind, value)
        return patches + self._appended(fresh, opened)

    def _appended(self, pieces: list[str], opened: Sequence[str]) -> list[Patch]:
        """Adds pieces of HTML to the innermost element, and goes on in the elements that they open."""
        html, target = "".join(pieces), self._target
        self._parts.append(html)
        if opened:
            self._cut.path += [f"{ELEMENTS[mark]}:last-child" for mark in opened]
            self._target = self._cut.target
        return [Patch(target, "beforeend", html + _end_tags(opened))] if html else []

    def _leave(self, kind: str, value: str) -> None:
        """Goes on behind the innermost element, or in the next cell."""
        cut = self._cut
        if kind == "close":
            self._parts.append(f"</{ELEMENTS[value]}>")
            cut.path.pop()
        else:
            start = cut.foot.index(">", cut.foot.index("<td")) + 1
            self._parts.append(cut.foot[:start])
            cut.foot = cut.foot[start:]
            cut.path[-1] = f"td:nth-child({value})"
        self._target = cut.target


def _end_tags(marks: Sequence[str]) -> str:
    return "".join(f"</{ELEMENTS[mark]}>" for mark in reversed(marks))


def _shown(source: str, view: str) -> tuple[str, tuple[str, ...]]:
    """The part of a text that its view shows, and the marks that are open at its end; nothing if that is not clear."""
    for closing, marks in _CLOSINGS.items():
        shown = view[: len(view) - len(closing)]
        if view.endswith(closing) and source.startswith(shown):
            return shown.rstrip(" \t\n"), marks
    return "", ()


def _cells(line: str, html: str) -> tuple[int, int]:
    """Which of how many cells a line stops in, if it is a row of a table at the end of the HTML; else none of none."""
    start = start_of_row(html) if line.startswith("|") and "\\" not in line else -1
    return (0, 0) if start < 0 else (line.count("|"), html.count("</td>", start))


def _is_certain(shown: str, line: str, cut: Cut) -> bool:
    """Whether the block that a line of text is in stays what it is, however the line goes on."""
    head = cut.head
    if cut.name == "td" or "|" in line[: start_of_text(line)]:
        # Only of the rows that were recognised as such it is known in which cell they stop.
        return cut.is_row
    if head.rfind("<p ") > head.rfind("<p>"):
        return False
    if cut.name in _HEADINGS and " #" in line.lstrip(_BEFORE_HEADING):
        return False
    # What begins with a bracket may be a definition; a line without letters, the mark of an item, a rule, a table.
    is_text = not head.endswith(">") or head.endswith(_ENDS_OF_MARKS)
    return is_text and _LETTER.search(line) is not None and "]:" not in shown


def _joint(line: str, marks: tuple[str, ...], cut: Cut) -> Joint:
    """What the next character is joined to."""
    found = _LAST_WORD.search(line)
    word = found[0] if found else ""
    if cut.name == "code" or marks[-1:] == ("`",):
        return Joint.PLAIN
    if not marks and cut.head.endswith(_ENDS_OF_MARKS):
        return Joint.CLOSING if "](" in word or "://" not in word else Joint.OTHER
    return Joint.PLAIN if _PLAIN_WORD.fullmatch(word) else Joint.OTHER
