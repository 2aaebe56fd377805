"""An open list or table, which may be long and grows at its end."""

import re

from conversations.markdown.growing.end import OpenEnd
from conversations.markdown.growing.outline import Block, find_blocks, is_after_blank_line, starts_new_block
from conversations.markdown.growing.patch import TAIL, Patch, diff
from conversations.markdown.growing.tail import LINES_PER_PART, Closed
from conversations.markdown.growing.unfinished import preview
from conversations.markdown.render import Renderer

_NUMBER = re.compile(r"[0-9]+")
_MARKER = re.compile(r"[ \t]*([-*+]|[0-9]{1,9}[.)])")


class OpenUnits:
    """Appends items to a list or rows to a table, and renders only the last one again: the open unit.

    The units before it are settled: they are never parsed again. The open unit is parsed alone, behind a lead that
    gives it its context: the head of its table, or for a loose list a first item that makes the list loose.

    A long list or table comes in parts, one below the other: see LINES_PER_PART.
    """

    def __init__(self, source: str, block: Block, renderer: Renderer) -> None:
        self._renderer = renderer
        first, last = block.units[0], block.units[-1]
        self._kind, self._is_table = block.kind, block.kind == "Table"
        self._is_loose = block.is_loose
        self._next_unit = _match_unit(source, block)
        whole = renderer.render_growing(source)
        self._head = whole[: self._start_of_units(whole)]
        name = self._head[1:3]
        self._part_end = "</tbody></table>" if self._is_table else f"</{name}>"
        self._foot = f"{self._part_end}</div>" if self._is_table else self._part_end
        self._parts = f"{TAIL} > .table-scroll" if self._is_table else TAIL
        self._parent = f"{self._parts} > {'table:last-child > tbody' if self._is_table else f'{name}:last-child'}"
        self._last = f"{self._parent} > {'tr' if self._is_table else 'li'}:last-child"
        self._lead = source[:first] if self._is_table else ""
        self._make_lead_loose(source)
        self._settled_source = [source[:last]]
        self._settled_length = last
        self._settled = [self._render(source[first:last])]
        self._part = source[first:last]
        number = _NUMBER.search(self._head)
        self._number = int(number[0]) if number else 1
        self._end = OpenEnd(self._parent)
        self._seen_lines, self._last_unit = "", 0
        self._look_at(source[last:], "")

    @property
    def source(self) -> str:
        return "".join(self._settled_source) + self._end.source

    @property
    def html(self) -> str:
        return f"{self._head}{''.join(self._settled)}{self._end.html}{self._foot}"

    def feed(self, text: str) -> list[Patch] | Closed:
        patches = self._end.feed(text)
        if patches is not None:
            return patches
        source = self._end.source
        return self._look_at(source, source[: source.rfind("\n") + 1])

    def _look_at(self, source: str, lines: str) -> list[Patch] | Closed:
        """Checks by the complete lines whether the block goes on, and shows the new text."""
        is_loose = self._is_loose
        if lines and lines != self._seen_lines:
            blocks = find_blocks(self._lead + lines)
            if len(blocks) != 1:
                return Closed(self._settled_length + blocks[-1].start - len(self._lead) if blocks else 0)
            is_loose = blocks[0].is_loose
            self._seen_lines, self._last_unit = lines, self._start_of_last(blocks)
        if lines and starts_new_block(source, self._kind):
            return Closed(self._settled_length + len(lines))
        view, last = self._view(source)
        if not self._is_loose and (is_loose or (not self._is_table and is_after_blank_line(source, last))):
            return self._turn_loose(source, view, last)
        before = self._end.html
        settled = self._show(source, view, last)
        if settled and (start := self._start_of_part()):
            self._settled.append(self._part_end + start)
            part = f"{start}{self._end.html}{self._part_end}"
            return [*self._diff(before, settled), Patch(self._parts, "beforeend", part)]
        return self._diff(before, settled + self._end.html)

    def _diff(self, before: str, after: str) -> list[Patch]:
        """Returns what turns the open unit on the page, which may not be there yet, into this HTML."""
        patches = diff(self._parent, before, after)
        if patches is not None:
            return patches
        return [Patch(self._last, "outerMorph", after) if after else Patch(TAIL, "innerMorph", self.html)]

    def _view(self, source: str) -> tuple[str, int]:
        """Returns what to show of the open unit's source, and where the last unit starts in it."""
        # The lead comes first, because a row alone could be the head of a table, which waits for its second line.
        view = preview(self._lead + source)[len(self._lead) :]
        line = view.rfind("\n") + 1
        if self._next_unit.match(view, line):
            return view, line
        if view == self._seen_lines:
            return view, self._last_unit
        blocks = find_blocks(self._lead + view)
        if len(blocks) > 1:
            # Another block has begun. It is shown as soon as its first line is complete.
            view = view[:line]
            blocks = find_blocks(self._lead + view)
        return view, self._start_of_last(blocks)

    def _start_of_last(self, blocks: list[Block]) -> int:
        return blocks[0].units[-1] - len(self._lead) if blocks and blocks[0].units else 0

    def _show(self, source: str, view: str, last: int) -> str:
        """Renders the last unit. Returns the HTML of the units before it, which are settled now."""
        settled = self._settle(source[:last])
        self._end.show(source[last:], view[last:], self._render)
        return settled

    def _settle(self, source: str) -> str:
        if not source:
            return ""
        self._settled_source.append(source)
        self._settled_length += len(source)
        self._part += source
        self._settled.append(self._render(source))
        return self._settled[-1]

    def _start_of_part(self) -> str:
        """Returns the start of another part, with the same columns or the next number. Empty if the last has room."""
        if self._part.count("\n") < LINES_PER_PART:
            return ""
        part, self._part = self._part, ""
        if self._is_table:
            return f'<table class="rows"><colgroup>{"<col>" * self._head.count("<th ")}</colgroup><tbody>'
        if self._head.startswith("<ul"):
            return "<ul>"
        self._number += sum(len(block.units) for block in find_blocks(self._lead + part)) - bool(self._lead)
        return f'<ol start="{self._number}">'

    def _turn_loose(self, source: str, view: str, last: int) -> list[Patch]:
        """Renders all items again, once: in a loose list each has paragraphs."""
        self._is_loose = True
        self._make_lead_loose(source)
        self._settled = [self._render("".join(self._settled_source))]
        self._end = OpenEnd(self._parent)
        self._show(source, view, last)
        return [Patch(TAIL, "innerMorph", self.html)]

    def _make_lead_loose(self, source: str) -> None:
        if self._is_loose and (marker := _MARKER.match(source)):
            # The item is indented too far to take in the one after it.
            self._lead = f"{'1' if marker[1][0].isdigit() else ''}{marker[1][-1]}    x\n\n"

    def _render(self, source: str) -> str:
        """Returns the HTML of items or rows without the list or table around them."""
        if not source:
            return ""
        html = self._renderer.render_growing(self._lead + source)
        start = self._start_of_units(html)
        if self._is_loose:
            start = html.index("</li>", start) + len("</li>")
        return html[start : len(html) - len(self._foot)]

    def _start_of_units(self, html: str) -> int:
        return html.index("<tbody>") + len("<tbody>") if self._is_table else html.index(">") + 1


def _match_unit(source: str, block: Block) -> re.Pattern[str]:
    """Returns the pattern of a line that certainly starts another unit of the block."""
    if block.kind == "Table":
        return re.compile(r"\|")
    marker = _MARKER.match(source)
    last = re.escape(marker[1][-1]) if marker else ""
    return re.compile(rf"{r'[0-9]{1,9}' if marker and marker[1][0].isdigit() else ''}{last}[ \t]")
