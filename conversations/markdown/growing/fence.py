"""An open block of fenced code."""

import re

from conversations.markdown import code
from conversations.markdown.growing.patch import TAIL, Patch
from conversations.markdown.growing.tail import LINES_PER_PART, Closed
from conversations.markdown.parse import parse
from conversations.markdown.sanitise import escape

_OPENING = re.compile(r"(?:(?P<ticks>`{3,})[^`\n]*|(?P<tildes>~{3,})[^\n]*)\n")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


class OpenFence:
    """Appends lines to a block of code without parsing them. The block gets its colours when it is closed."""

    @staticmethod
    def match_opening(source: str, start: int) -> re.Match[str] | None:
        return _OPENING.match(source, start)

    def __init__(self, opening: re.Match[str]) -> None:
        fence = opening["ticks"] or opening["tildes"]
        mark = fence[0]
        self._closing = re.compile(rf"^ {{0,3}}{mark}{{{len(fence)},}}[ \t]*\n", re.MULTILINE)
        self._maybe_closing = re.compile(rf" {{0,3}}{mark}*[ \t]*")
        self._source = [opening[0]]
        self._length = len(opening[0])
        self._head = code.render_head(parse(opening[0])[0]["Start"]["CodeBlock"]["Fenced"])
        self._lines = _Lines(f"{TAIL} > .code > pre > code")
        self._held = ""
        self._inside_line = False

    @property
    def source(self) -> str:
        return "".join(self._source)

    @property
    def html(self) -> str:
        return f"{self._head}{self._lines.html}{code.FOOT}"

    def feed(self, text: str) -> list[Patch] | Closed:
        self._source.append(text)
        fresh = self._held + text
        before, self._length = self._length - len(self._held), self._length + len(text)
        # The rest of a line that has begun on the page cannot close the block.
        lines = fresh.find("\n") + 1 if self._inside_line else 0
        if lines or not self._inside_line:
            if closing := self._closing.search(fresh, lines):
                return Closed(before + closing.end())
            self._hold_back(fresh)
        return self._lines.append(fresh[: len(fresh) - len(self._held)])

    def _hold_back(self, fresh: str) -> None:
        """Hides a last line that may become the closing fence."""
        line = fresh[fresh.rfind("\n") + 1 :]
        self._held = line if self._maybe_closing.fullmatch(line) else ""
        self._inside_line = bool(line) and not self._held


class _Lines:
    """The lines of an open block of code. From the second part on, each part is an element of its own."""

    def __init__(self, within: str) -> None:
        self._within = self._target = within
        self._shown: list[str] = []
        self._end = ""
        self._lines_in_part = 0

    @property
    def html(self) -> str:
        return "".join(self._shown) + self._end

    def append(self, text: str) -> list[Patch]:
        first, *others = map(escape, self._split(text))
        patches = [Patch(self._target, "beforeend", first)] if first else []
        self._shown.append(first)
        if others:
            html = "</span>".join(f'<span class="lines">{part}' for part in others)
            patches.append(Patch(self._within, "beforeend", f"{html}</span>"))
            self._shown += self._end, html
            self._target, self._end = f"{self._within} > .lines:last-child", "</span>"
        return patches

    def _split(self, text: str) -> list[str]:
        """Returns what continues the last part, then each new part."""
        parts = [""]
        for line in _LINE.findall(text):
            if self._lines_in_part == LINES_PER_PART:
                self._lines_in_part = 0
                parts.append("")
            parts[-1] += line
            self._lines_in_part += line.endswith("\n")
        return parts
