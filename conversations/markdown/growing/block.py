"""An open block of any kind, rendered again as it grows."""

from conversations.markdown.growing.end import OpenEnd
from conversations.markdown.growing.outline import starts_new_block
from conversations.markdown.growing.patch import TAIL, Patch, diff_tail
from conversations.markdown.growing.tail import Closed
from conversations.markdown.growing.unfinished import preview
from conversations.markdown.render import Renderer


class OpenBlock:
    """The block that a text ends in. `kind` is the kind of its complete lines, None if they show nothing yet."""

    def __init__(self, source: str, renderer: Renderer, kind: str | None = None) -> None:
        self._renderer = renderer
        self._kind = kind
        self._lines_end = source.rfind("\n")
        self._end = OpenEnd(TAIL)
        self._show(source)

    @property
    def source(self) -> str:
        return self._end.source

    @property
    def html(self) -> str:
        return self._end.html

    def feed(self, text: str) -> list[Patch] | Closed:
        patches = self._end.feed(text)
        if patches is not None:
            return patches
        source, before = self.source, self.html
        if source.rfind("\n") > self._lines_end or (self._kind and starts_new_block(source, self._kind)):
            return Closed(0)
        self._show(source)
        return diff_tail(before, self.html)

    def _show(self, source: str) -> None:
        self._end.show(source, preview(source), self._renderer.render_growing)
