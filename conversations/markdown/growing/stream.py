"""Markdown that is still being written: what each piece of text changes on the page, at a cost linear in its length."""

import re

from conversations.markdown.growing.outline import outline, starts_new_block
from conversations.markdown.growing.patch import TAIL, Patch
from conversations.markdown.growing.tails import Ended, OpenBlock, OpenFence, Tail
from conversations.markdown.growing.units import OpenUnits
from conversations.markdown.render import render, render_closed
from conversations.markdown.sanitise import readable

__all__ = ["Patch", "StreamingMarkdown"]

_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")


class StreamingMarkdown:
    """A text that grows: closed blocks are shown once and never change, the open one changes in `.tail`.

    The page keeps `html` in a container and applies each Patch there. What is shown equals the whole text rendered at
    once, but for link reference definitions and for what the open end leaves unfinished; `finish` settles both.
    """

    def __init__(self, *, breaks: bool = False) -> None:
        self._breaks = breaks
        self._text: list[str] = []
        self._closed: list[str] = []
        self._tail: Tail = OpenBlock("", breaks=breaks)
        self._carriage_return = ""

    @property
    def html(self) -> str:
        """The content of the container as it is shown now, for a viewer who joins in the middle."""
        return f'{"".join(self._closed)}<div class="tail">{self._tail.html}</div>'

    def feed(self, text: str) -> list[Patch]:
        """Takes the next piece of text; returns what changes on the page, to be applied in order."""
        self._text.append(text)
        if self._carriage_return or text.endswith("\r"):
            # A line may end in \r\n, and the piece between the two.
            text = self._carriage_return + text
            self._carriage_return = "\r" if text.endswith("\r") else ""
            text = text.removesuffix("\r")
        if not text:
            return []
        growth = self._tail.feed(readable(text))
        return self._settle(growth.closed) if isinstance(growth, Ended) else growth

    def finish(self) -> str:
        """The HTML of the whole text, rendered at once."""
        return render("".join(self._text), breaks=self._breaks)

    def _settle(self, closed: int) -> list[Patch]:
        """Shows for good what is closed of the tail's text, and the rest as the new tail."""
        source, shown = self._tail.source, self._tail.html
        start, self._tail = self._next_tail(source, closed)
        patches = []
        if html := render_closed(source[:start], breaks=self._breaks):
            self._closed.append(html)
            patches.append(Patch(TAIL, "beforebegin", html))
        if self._tail.html != shown:
            patches.append(Patch(TAIL, "innerMorph", self._tail.html))
        return patches

    def _next_tail(self, source: str, start: int) -> tuple[int, Tail]:
        """Where the last, open block of a text begins, and that block as a tail."""
        while True:
            if blank := _BLANK_LINES.match(source, start):
                start = blank.end()
            if opening := OpenFence.opening(source, start):
                fence = OpenFence(opening)
                growth = fence.feed(source[opening.end() :])
                if not isinstance(growth, Ended):
                    return start, fence
                start += growth.closed
                continue
            rest = source[start:]
            blocks = outline(rest[: rest.rfind("\n") + 1])
            if not blocks:
                break
            last = blocks[-1]
            if starts_new_block(rest, last.kind):
                start += rest.rfind("\n") + 1
                break
            if last.start:
                start += last.start
                last.units = [unit - last.start for unit in last.units]
                if OpenFence.opening(source, start):
                    continue
            if len(last.units) > (last.kind == "List"):
                return start, OpenUnits(source[start:], last, breaks=self._breaks)
            break
        if start == 0 and isinstance(self._tail, OpenBlock):
            self._tail.resume(source)
            return 0, self._tail
        return start, OpenBlock(source[start:], breaks=self._breaks)
