"""Markdown that is still being written: what each piece of text changes on the page, at a cost linear in its length."""

import re

from conversations.markdown.growing.block import OpenBlock
from conversations.markdown.growing.fence import OpenFence
from conversations.markdown.growing.outline import find_blocks, starts_new_block
from conversations.markdown.growing.patch import TAIL, Patch, diff_tail
from conversations.markdown.growing.tail import Closed, Tail
from conversations.markdown.growing.units import OpenUnits
from conversations.markdown.render import Renderer
from conversations.markdown.sanitise import normalise

_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")


class StreamingMarkdown:
    """A text that grows. Its closed blocks are shown once and never change; only the open one does, in the tail.

    The page keeps `html` in a container and applies each Patch to it. It then shows what `render` would show of the
    same text, apart from link reference definitions and an end that may still mean something else.
    """

    def __init__(self, renderer: Renderer | None = None) -> None:
        self._renderer = (renderer or Renderer()).begin_text()
        self._closed: list[str] = []
        self._tail: Tail = OpenBlock("", self._renderer)
        self._carriage_return = ""

    @property
    def html(self) -> str:
        """The container's present content, for a viewer who joins late."""
        return f'{"".join(self._closed)}<div class="tail">{self._tail.html}</div>'

    def feed(self, text: str) -> list[Patch]:
        """Takes the next piece of text. Returns what changes on the page, to apply in order."""
        if self._carriage_return or text.endswith("\r"):
            # A piece may end between the \r and the \n of one line end.
            text = self._carriage_return + text
            self._carriage_return = "\r" if text.endswith("\r") else ""
            text = text.removesuffix("\r")
        if not text:
            return []
        growth = self._tail.feed(normalise(text))
        return self._close(growth.length) if isinstance(growth, Closed) else growth

    def _close(self, length: int) -> list[Patch]:
        """Moves the closed blocks out of the tail, and starts a new tail with the rest of its source."""
        source, before = self._tail.source, self._tail.html
        start, self._tail = _find_tail(source, length, self._renderer)
        patches, sections = [], self._renderer.sections.copy()
        html = self._renderer.render_next(source[:start])
        if self._renderer.sections != sections:
            # The levels of the headings in the tail depend on those before it.
            _, self._tail = _find_tail(source, start, self._renderer)
        if html:
            self._closed.append(html)
            patches.append(Patch(TAIL, "beforebegin", html))
        return patches + diff_tail(before, self._tail.html)


def _find_tail(source: str, start: int, renderer: Renderer) -> tuple[int, Tail]:
    """Returns where the last, open block of a text begins, and that block. The text before `start` is closed."""
    while True:
        if blank := _BLANK_LINES.match(source, start):
            start = blank.end()
        if opening := OpenFence.match_opening(source, start):
            fence = OpenFence(opening)
            growth = fence.feed(source[opening.end() :])
            if not isinstance(growth, Closed):
                return start, fence
            start += growth.length
            continue
        rest = source[start:]
        blocks = find_blocks(rest[: rest.rfind("\n") + 1])
        if not blocks:
            return start, OpenBlock(rest, renderer)
        last = blocks[-1]
        if starts_new_block(rest, last.kind):
            start += rest.rfind("\n") + 1
            return start, OpenBlock(source[start:], renderer)
        if last.start:
            start += last.start
            last.units = [unit - last.start for unit in last.units]
            if OpenFence.match_opening(source, start):
                continue
        if len(last.units) > (last.kind == "List"):
            return start, OpenUnits(source[start:], last, renderer)
        return start, OpenBlock(source[start:], renderer, last.kind)
