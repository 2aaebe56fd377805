"""The last block of a growing text, each kind growing in its own cheapest way."""

import re
from dataclasses import dataclass
from typing import Final, Protocol

from conversations.markdown import code
from conversations.markdown.openend import OpenEnd
from conversations.markdown.outline import Block, outline
from conversations.markdown.patch import TAIL, Patch
from conversations.markdown.render import render_closed, render_growing
from conversations.markdown.sanitise import escape
from conversations.markdown.unfinished import presentable


@dataclass(frozen=True, slots=True)
class Ended:
    """A block may have ended: so many characters from its start are closed for good."""

    closed: int


class Tail(Protocol):
    """The open block, as text and as shown in the tail's element."""

    @property
    def source(self) -> str: ...
    @property
    def html(self) -> str: ...
    def feed(self, text: str) -> list[Patch] | Ended: ...


class OpenBlock:
    """Any block: rendered whole, as long as it is small."""

    def __init__(self, source: str, *, breaks: bool) -> None:
        self._breaks = breaks
        self._end = OpenEnd(TAIL)
        self._render(source)

    @property
    def source(self) -> str:
        return self._end.source

    @property
    def html(self) -> str:
        return self._end.html

    def feed(self, text: str) -> list[Patch] | Ended:
        patches = self._end.take(text)
        if patches is not None:
            return patches
        source = self.source
        if "\n" in source:
            return Ended(0)
        self._render(source)
        return [Patch(TAIL, "innerMorph", self.html)]

    def resume(self, source: str) -> None:
        """Shows the same block again, longer: what it learned about its growth stays."""
        self._render(source)

    def _render(self, source: str) -> None:
        view = presentable(source)
        self._end.show(source, view, render_growing(view, breaks=self._breaks) if view else "")


class OpenFence:
    """A block of fenced code: appended to, never parsed; coloured once it is closed."""

    TARGET: Final = f"{TAIL} > .code > pre > code"
    _OPENING = re.compile(r"(?:(?P<ticks>`{3,})(?P<info>[^`\n]*)|(?P<tildes>~{3,})(?P<info2>[^\n]*))\n")

    @classmethod
    def opening(cls, source: str, start: int) -> re.Match[str] | None:
        return cls._OPENING.match(source, start)

    def __init__(self, opening: re.Match[str]) -> None:
        fence = opening["ticks"] or opening["tildes"]
        mark = fence[0]
        self._closing = re.compile(rf"^ {{0,3}}{mark}{{{len(fence)},}}[ \t]*\n", re.MULTILINE)
        self._maybe_closing = re.compile(rf" {{0,3}}{mark}*[ \t]*")
        self._source = [opening[0]]
        self._length = len(opening[0])
        self._head = code.head(opening["info"] or opening["info2"] or "")
        self._shown: list[str] = []
        self._held = ""
        self._inside_line = False

    @property
    def source(self) -> str:
        return "".join(self._source)

    @property
    def html(self) -> str:
        return f"{self._head}{''.join(self._shown)}{code.FOOT}"

    def feed(self, text: str) -> list[Patch] | Ended:
        self._source.append(text)
        fresh = self._held + text
        before, self._length = self._length - len(self._held), self._length + len(text)
        # The rest of a line whose start is on the page closes nothing.
        lines = fresh.find("\n") + 1 if self._inside_line else 0
        if lines or not self._inside_line:
            if closing := self._closing.search(fresh, lines):
                return Ended(before + closing.end())
            self._hold_back(fresh)
        shown = escape(fresh[: len(fresh) - len(self._held)])
        if not shown:
            return []
        self._shown.append(shown)
        return [Patch(self.TARGET, "beforeend", shown)]

    def _hold_back(self, fresh: str) -> None:
        """Keeps a last line that may become the closing fence from being shown."""
        line = fresh[fresh.rfind("\n") + 1 :]
        self._held = line if self._maybe_closing.fullmatch(line) else ""
        self._inside_line = bool(line) and not self._held


class OpenUnits:
    """A list or a table: its items or rows are appended, and only the last is rendered again.

    Settled units are parsed no more. The open one is parsed on its own, behind a `lead` that makes it what it is: the
    head of its table, or in a loose list an item that makes the list loose, indented too far to take it in.
    """

    _DUMMY: Final = "<li><p>x</p></li>"

    def __init__(self, source: str, block: Block, *, breaks: bool) -> None:
        self._breaks = breaks
        self._is_table = block.kind == "Table"
        self._lead = source[: block.units[0]] if self._is_table else ""
        self._settled_source = [source[: block.units[-1]]]
        self._settled_length = block.units[-1]
        whole = render_closed(source[: block.units[-1]] or source, breaks=breaks)
        if self._is_table:
            whole = render_closed(source, breaks=breaks)
        self._head = whole[: whole.index("<tbody>") + 7] if self._is_table else whole[: whole.index(">") + 1]
        self._foot = "</tbody></table></div>" if self._is_table else f"</{self._head[1:3]}>"
        self._parent = f"{TAIL} > .table-scroll > table > tbody" if self._is_table else f"{TAIL} > {self._head[1:3]}"
        self._last = f"{self._parent} > {'tr' if self._is_table else 'li'}:last-child"
        self._same = _same_unit(source, block)
        self._is_loose = block.is_loose
        self._loosen(source)
        self._settled = [self._units(source[block.units[0] : block.units[-1]])]
        self._end = OpenEnd(self._parent)
        self._show(source[block.units[-1] :])

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
        if starts_new_block(source, "Table" if self._is_table else "List"):
            return Ended(self._settled_length + source.rfind("\n") + 1)
        return self._look_at(source, source[: source.rfind("\n") + 1])

    def _look_at(self, source: str, lines: str) -> list[Patch] | Ended:
        """Looks at the complete lines, whether the block goes on, and shows what has come."""
        if lines:
            blocks = outline(self._lead + lines)
            if len(blocks) != 1:
                return Ended(self._settled_length + blocks[-1].start - len(self._lead) if blocks else 0)
            if blocks[0].is_loose and not self._is_loose:
                return self._turn_loose(source)
        settled = self._show(source)
        return [Patch(self._last, "outerMorph", settled + self._end.html)]

    def _show(self, source: str) -> str:
        """Renders the open unit; returns the HTML of those before it, which are settled by now."""
        view = presentable(source)
        line = view.rfind("\n") + 1
        if self._same.match(view, line):
            last = line
        else:
            blocks = outline(self._lead + view)
            if len(blocks) > 1:
                # What comes after the block is for the next one to show, once its first line is complete.
                view = view[:line]
                blocks = outline(self._lead + view)
            last = blocks[0].units[-1] - len(self._lead) if blocks and blocks[0].units else 0
        settled = self._settle(source, last)
        self._end.show(source[last:], view[last:], self._units(view[last:]))
        return settled

    def _settle(self, source: str, last: int) -> str:
        if not last:
            return ""
        self._settled_source.append(source[:last])
        self._settled_length += last
        self._settled.append(self._units(source[:last]))
        return self._settled[-1]

    def _turn_loose(self, source: str) -> list[Patch]:
        """A tight list that turns loose changes in all its items, once."""
        self._is_loose = True
        self._loosen(source)
        self._settled = [self._units("".join(self._settled_source))]
        self._show(source)
        return [Patch(TAIL, "innerMorph", self.html)]

    def _loosen(self, source: str) -> None:
        if self._is_loose and (marker := _MARKER.match(source)):
            self._lead = f"{'1' if marker[1][0].isdigit() else ''}{marker[1][-1]}    x\n\n"

    def _units(self, source: str) -> str:
        """The HTML of items or rows without that of the list or table around them."""
        if not source:
            return ""
        html = render_growing(self._lead + source, breaks=self._breaks)
        start = html.index("<tbody>") + 7 if self._is_table else html.index(">") + 1
        if self._is_loose:
            start += len(self._DUMMY)
        return html[start : len(html) - len(self._foot)]


_MARKER = re.compile(r"[ \t]*([-*+]|[0-9]{1,9}[.)])")


def _same_unit(source: str, block: Block) -> re.Pattern[str]:
    """What starts a line that surely goes on with the block."""
    if block.kind == "Table":
        return re.compile(r"\|")
    marker = _MARKER.match(source)
    last = re.escape(marker[1][-1]) if marker else ""
    return re.compile(rf"{r'[0-9]{1,9}' if marker and marker[1][0].isdigit() else ''}{last}[ \t]")


_CERTAIN = re.compile(r"[^ \t0-9*+-]|[*+-][^ \t*+-]|\*\*|[0-9]+[^0-9.)]|[0-9]+[.)][^ \t]")
_UNBROKEN = frozenset({"FencedCode", "HtmlBlock"})


def starts_new_block(source: str, kind: str) -> bool:
    """Whether the incomplete last line of a text, after a blank one, surely begins a block after one of this kind."""
    start = source.rfind("\n") + 1
    if start == len(source) or kind in _UNBROKEN or not _after_blank_line(source, start):
        return False
    return _CERTAIN.match(source, start) is not None if kind == "List" else source[start] not in " \t"


def _after_blank_line(source: str, start: int) -> bool:
    return start > 1 and not source[source.rfind("\n", 0, start - 1) + 1 : start].strip(" \t\n")
