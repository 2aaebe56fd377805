"""The last block of a growing text when it is a list or a table, which may be long and grows at its end."""

import re
from typing import Final

from conversations.markdown.growing.openend import OpenEnd
from conversations.markdown.growing.outline import Block, is_after_blank_line, outline, starts_new_block
from conversations.markdown.growing.patch import TAIL, Patch
from conversations.markdown.growing.tails import LINES_OF_PART, Ended
from conversations.markdown.growing.unfinished import presentable
from conversations.markdown.render import render_growing

_NUMBER = re.compile(r"[0-9]+")
_MARKER = re.compile(r"[ \t]*([-*+]|[0-9]{1,9}[.)])")


class OpenUnits:
    """A list or a table: its items or rows are appended, and only the last is rendered again.

    Settled units are parsed no more. The open one is parsed on its own, behind a `lead` that makes it what it is: the
    head of its table, or in a loose list an item that makes the list loose, indented too far to take it in.

    A long list or table comes as several, one below the other: a browser lays out the last one alone.
    """

    _DUMMY: Final = "<li><p>x</p></li>"

    def __init__(self, source: str, block: Block, *, breaks: bool) -> None:
        first, last = block.units[0], block.units[-1]
        self._breaks = breaks
        self._kind, self._is_table = block.kind, block.kind == "Table"
        self._is_loose = block.is_loose
        self._same = _same_unit(source, block)
        whole = render_growing(source, breaks=breaks)
        self._head = whole[: self._start_of_units(whole)]
        name = self._head[1:3]
        self._part_end = "</tbody></table>" if self._is_table else f"</{name}>"
        self._foot = f"{self._part_end}</div>" if self._is_table else self._part_end
        self._parts = f"{TAIL} > .table-scroll" if self._is_table else TAIL
        self._parent = f"{self._parts} > {'table:last-child > tbody' if self._is_table else f'{name}:last-child'}"
        self._last = f"{self._parent} > {'tr' if self._is_table else 'li'}:last-child"
        self._lead = source[:first] if self._is_table else ""
        self._loosen(source)
        self._settled_source = [source[:last]]
        self._settled_length = last
        self._settled = [self._units(source[first:last])]
        self._end = OpenEnd(self._parent)
        self._looked_at, self._last_unit = "", 0
        self._part = source[first:last]
        number = _NUMBER.search(self._head)
        self._number = int(number[0]) if number else 1
        self._look_at(source[last:], "")

    @property
    def source(self) -> str:
        return "".join(self._settled_source) + self._end.source

    @property
    def html(self) -> str:
        return f"{self._head}{''.join(self._settled)}{self._end.html}{self._foot}"

    def feed(self, text: str) -> list[Patch] | Ended:
        patches = self._end.take(text)
        if patches is not None:
            return patches
        source = self._end.source
        return self._look_at(source, source[: source.rfind("\n") + 1])

    def _look_at(self, source: str, lines: str) -> list[Patch] | Ended:
        """Looks at the complete lines, whether the block goes on, and shows what has come."""
        is_loose = self._is_loose
        if lines and lines != self._looked_at:
            blocks = outline(self._lead + lines)
            if len(blocks) != 1:
                return Ended(self._settled_length + blocks[-1].start - len(self._lead) if blocks else 0)
            is_loose = blocks[0].is_loose
            self._looked_at, self._last_unit = lines, self._start_of_last(blocks)
        if lines and starts_new_block(source, self._kind):
            return Ended(self._settled_length + len(lines))
        view, last = self._view(source)
        if not self._is_loose and (is_loose or (not self._is_table and is_after_blank_line(source, last))):
            return self._turn_loose(source, view, last)
        before = self._end.html
        settled = self._show(source, view, last)
        if settled and (start := self._start_of_part()):
            self._settled.append(self._part_end + start)
            part = f"{start}{self._end.html}{self._part_end}"
            return [*self._changed(before, settled), Patch(self._parts, "beforeend", part)]
        return self._changed(before, settled + self._end.html)

    def _changed(self, before: str, html: str) -> list[Patch]:
        """How the open unit on the page becomes this HTML; there is none on the page if it was none."""
        if html == before:
            return []
        if not html:
            return [Patch(TAIL, "innerMorph", self.html)]
        if html.startswith(before):
            return [Patch(self._parent, "beforeend", html[len(before) :])]
        return [Patch(self._last, "outerMorph", html)]

    def _view(self, source: str) -> tuple[str, int]:
        """What to show of the open unit's text, and where its last unit starts: a new one may have begun."""
        # Behind its lead, for a row alone could be the head of a table, which is not shown before its second line.
        view = presentable(self._lead + source)[len(self._lead) :]
        line = view.rfind("\n") + 1
        if self._same.match(view, line):
            return view, line
        if view == self._looked_at:
            return view, self._last_unit
        blocks = outline(self._lead + view)
        if len(blocks) > 1:
            # What comes after the block is for the next one to show, once its first line is complete.
            view = view[:line]
            blocks = outline(self._lead + view)
        return view, self._start_of_last(blocks)

    def _start_of_last(self, blocks: list[Block]) -> int:
        return blocks[0].units[-1] - len(self._lead) if blocks and blocks[0].units else 0

    def _show(self, source: str, view: str, last: int) -> str:
        """Renders the open unit; returns the HTML of those before it, which are settled by now."""
        settled = self._settle(source, last)
        self._end.show(source[last:], view[last:], self._units(view[last:]))
        return settled

    def _settle(self, source: str, last: int) -> str:
        if not last:
            return ""
        self._settled_source.append(source[:last])
        self._settled_length += last
        self._part += source[:last]
        self._settled.append(self._units(source[:last]))
        return self._settled[-1]

    def _start_of_part(self) -> str:
        """What begins another part, in the same columns or with the next number; nothing if the last has room."""
        if self._part.count("\n") < LINES_OF_PART:
            return ""
        part, self._part = self._part, ""
        if self._is_table:
            return f'<table class="rows"><colgroup>{"<col>" * self._head.count("<th ")}</colgroup><tbody>'
        if self._head.startswith("<ul"):
            return "<ul>"
        self._number += sum(len(block.units) for block in outline(self._lead + part)) - bool(self._lead)
        return f'<ol start="{self._number}">'

    def _turn_loose(self, source: str, view: str, last: int) -> list[Patch]:
        """A tight list that turns loose changes in all its items, once."""
        self._is_loose = True
        self._loosen(source)
        self._settled = [self._units("".join(self._settled_source))]
        self._show(source, view, last)
        return [Patch(TAIL, "innerMorph", self.html)]

    def _loosen(self, source: str) -> None:
        if self._is_loose and (marker := _MARKER.match(source)):
            self._lead = f"{'1' if marker[1][0].isdigit() else ''}{marker[1][-1]}    x\n\n"

    def _units(self, source: str) -> str:
        """The HTML of items or rows without that of the list or table around them."""
        if not source:
            return ""
        html = render_growing(self._lead + source, breaks=self._breaks)
        start = self._start_of_units(html) + len(self._DUMMY) * self._is_loose
        return html[start : len(html) - len(self._foot)]

    def _start_of_units(self, html: str) -> int:
        return html.index("<tbody>") + len("<tbody>") if self._is_table else html.index(">") + 1


def _same_unit(source: str, block: Block) -> re.Pattern[str]:
    """What starts a line that surely goes on with the block."""
    if block.kind == "Table":
        return re.compile(r"\|")
    marker = _MARKER.match(source)
    last = re.escape(marker[1][-1]) if marker else ""
    return re.compile(rf"{r'[0-9]{1,9}' if marker and marker[1][0].isdigit() else ''}{last}[ \t]")
