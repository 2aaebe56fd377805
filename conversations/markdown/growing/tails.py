"""The last block of a growing text, each kind growing in its own cheapest way."""

import re
from dataclasses import dataclass
from typing import Final, Protocol

from conversations.markdown import code
from conversations.markdown.growing.openend import OpenEnd
from conversations.markdown.growing.patch import TAIL, Patch
from conversations.markdown.growing.unfinished import presentable
from conversations.markdown.parse import parse
from conversations.markdown.render import render_growing
from conversations.markdown.sanitise import escape

LINES_OF_PART: Final = 40
"""Of a long block that still grows: a browser lays out and draws only the last part again."""
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


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
        before = self.html
        self._render(source)
        return [Patch(TAIL, "innerMorph", self.html)] if self.html != before else []

    def resume(self, source: str) -> None:
        """Shows the same block again, longer: what it learned about its growth stays."""
        self._render(source)

    def _render(self, source: str) -> None:
        view = presentable(source)
        self._end.show(source, view, render_growing(view, breaks=self._breaks) if view else "")


class Lines:
    """The lines of a growing block of code; from the second part on, each part is an element."""

    def __init__(self, within: str) -> None:
        self._within = self._target = within
        self._shown: list[str] = []
        self._end = ""
        self._last = 0

    @property
    def html(self) -> str:
        return "".join(self._shown) + self._end

    def add(self, text: str) -> list[Patch]:
        first, *others = map(escape, self._in_parts(text))
        patches = [Patch(self._target, "beforeend", first)] if first else []
        self._shown.append(first)
        if others:
            html = "</span>".join(f'<span class="lines">{part}' for part in others)
            patches.append(Patch(self._within, "beforeend", f"{html}</span>"))
            self._shown += self._end, html
            self._target, self._end = f"{self._within} > .lines:last-child", "</span>"
        return patches

    def _in_parts(self, text: str) -> list[str]:
        """What goes on in the last part, and the parts after it."""
        parts = [""]
        for line in _LINE.findall(text):
            if self._last == LINES_OF_PART:
                self._last = 0
                parts.append("")
            parts[-1] += line
            self._last += line.endswith("\n")
        return parts


class OpenFence:
    """A block of fenced code: appended to, never parsed; coloured once it is closed."""

    _OPENING = re.compile(r"(?:(?P<ticks>`{3,})[^`\n]*|(?P<tildes>~{3,})[^\n]*)\n")

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
        self._head = code.head(parse(opening[0])[0]["Start"]["CodeBlock"]["Fenced"])
        self._lines = Lines(f"{TAIL} > .code > pre > code")
        self._held = ""
        self._inside_line = False

    @property
    def source(self) -> str:
        return "".join(self._source)

    @property
    def html(self) -> str:
        return f"{self._head}{self._lines.html}{code.FOOT}"

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
        return self._lines.add(fresh[: len(fresh) - len(self._held)])

    def _hold_back(self, fresh: str) -> None:
        """Keeps a last line that may become the closing fence from being shown."""
        line = fresh[fresh.rfind("\n") + 1 :]
        self._held = line if self._maybe_closing.fullmatch(line) else ""
        self._inside_line = bool(line) and not self._held
