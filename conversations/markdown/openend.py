"""The open end of a text on the page: rendered anew while it is small, else grown by plain text in between."""

import re
from typing import Final

from conversations.markdown.patch import Patch
from conversations.markdown.sanitise import escape, words

SMALL: Final = 1024
"""Characters up to which each change is rendered; beyond, a rendering waits for growth by one part in GROWTH."""
GROWTH: Final = 16

_PLAIN = re.compile(r"(?:[^\W_]|[ ,.:!?'\"’“”%–—-])+")
_LETTER = re.compile(r"[^\W\d_]")
# What may end a block although the text has grown too little to look: worth a few looks, not one at every line.
_NEW_BLOCK = re.compile(r"\n[ \t]*\n[^ \t\n]|\n(?:#{1,6} |```|~~~|[-*+] |[0-9]{1,9}[.)] )")
_LOOKS: Final = 2
_INLINE_ENDS = ("</strong>", "</em>", "</code>", "</a>", "</del>")
_BLOCKS = words("blockquote div h1 h2 h3 h4 h5 h6 li ol p pre td tr ul")


class OpenEnd:
    """Its last rendering, the text since, and where in the page that text belongs.

    `within` selects the parent of the rendered HTML.
    """

    def __init__(self, within: str) -> None:
        self._parts: list[str] = [""]
        self._within = within
        self._source = ""
        self._fresh: list[str] = []
        self._grown = 0
        self._held = ""
        self._takes_plain = False
        self._recent = ""
        self._looks = _LOOKS
        self._expects_block = False
        self._closers = ""
        self._target = ""

    @property
    def source(self) -> str:
        return self._source + "".join(self._fresh)

    @property
    def html(self) -> str:
        return "".join(self._parts) + self._closers

    def show(self, source: str, view: str, html: str) -> None:
        """Takes over a rendering: `html` shows `view`, the presentable part of `source`."""
        if len(source) - len(self._source) >= len(self._source) / GROWTH or len(source) < len(self._source):
            self._looks = _LOOKS
        self._source, self._fresh, self._grown = source, [], 0
        self._held = source[len(view) :] if source.startswith(view) else ""
        self._parts, self._closers, self._target = [html], "", ""
        line = source[source.rfind("\n") + 1 :]
        self._takes_plain = view == source.rstrip(" \t\n") and _LETTER.search(line) is not None
        self._recent, self._expects_block = source[-16:], False

    def take(self, text: str) -> list[Patch] | None:
        """Grows by a text and says how the page does; None if it is time to render again."""
        self._fresh.append(text)
        self._grown += len(text)
        if (
            self._takes_plain
            and len(self._held) < 200
            and _PLAIN.fullmatch(text)
            and self._ends_in_text(self._held + text)
        ):
            return self._append_plain(text)
        if len(self._source) < SMALL or self._grown * GROWTH >= len(self._source) or self._starts_block(text):
            return None
        self._takes_plain = False
        return self._append(self._held + text, held="")

    def _starts_block(self, text: str) -> bool:
        recent = self._recent + text
        self._recent = recent[-16:]
        is_due = self._expects_block and "\n" in text
        found = _NEW_BLOCK.search(recent)
        if self._looks and (is_due or (found and found[0][-1] not in " `~")):
            self._looks -= 1
            return True
        self._expects_block = self._expects_block or found is not None
        return False

    def _append_plain(self, text: str) -> list[Patch]:
        # Markdown drops spaces at the end of a line, so they wait for what follows.
        text = self._held + text
        shown = text.rstrip(" ")
        return self._append(shown, held=text[len(shown) :])

    def _append(self, text: str, *, held: str) -> list[Patch]:
        self._open()
        self._held = held
        if not text:
            return []
        self._parts.append(escape(text))
        return [Patch(self._target, "beforeend", self._parts[-1])]

    def _ends_in_text(self, text: str) -> bool:
        """Whether a text that comes next stands in the innermost block, outside of emphasis, links and code."""
        self._open()
        if not self._closers:
            return False
        end = self._parts[-1] or self._parts[0]
        return not end.endswith(">") or (text.startswith(" ") and end.endswith(_INLINE_ENDS))

    def _open(self) -> None:
        """Takes the end tags off the rendering, to go on inside its last and innermost block."""
        if self._target:
            return
        html, end, path = self._parts[0], len(self._parts[0]), [self._within]
        while end and html[end - 1] == ">":
            start = html.rfind("</", 0, end)
            name = html[start + 2 : end - 1]
            if start < 0 or not (name in _BLOCKS or (name == "code" and path[-1] == "pre:last-child")):
                break
            path.append(f"{name}:last-child")
            end = start
        self._parts, self._closers, self._target = [html[:end]], html[end:], " > ".join(path)
