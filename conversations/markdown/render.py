"""Markdown as safe HTML: events are written with everything escaped, sanitised, and only then given our controls."""

import re
from collections.abc import Callable
from typing import Any, Final

from conversations.markdown import code, links, math, sanitise
from conversations.markdown.parse import Event, parse
from conversations.markdown.sanitise import escape, readable

DEEPEST: Final = 60
"""Levels of nesting that are drawn; browsers stop at some 500, and nobody reads that far."""

_START_TAGS: Final = {"Paragraph": "<p>", "Emphasis": "<em>", "Strong": "<strong>", "Strikethrough": "<del>"}
_END_TAGS: Final = {
    **{"Paragraph": "</p>", "Emphasis": "</em>", "Strong": "</strong>", "Strikethrough": "</del>"},
    **{"Item": "</li>", "TableHead": "</tr></thead>", "TableRow": "</tr>"},
}
_ATOMS: Final = {"SoftBreak": "\n", "HardBreak": "<br>", "Rule": "<hr>"}
_ISLAND = re.compile("\ufdd0([0-9]+)\ufdd0")
_CELL_CLASSES: Final = {"Center": ' class="center"', "Right": ' class="right"'}


def render(text: str, *, breaks: bool = False) -> str:
    """Safe HTML of a whole text; with `breaks`, a single newline is a line break, as people expect of a chat."""
    return _rendered(readable(text), breaks=breaks, growing=False)


def render_growing(text: str, *, breaks: bool = False) -> str:
    """Safe HTML of a readable text that is not at its end; a block of code still open at its end stays uncoloured."""
    return _rendered(text, breaks=breaks, growing=True)


def render_closed(text: str, *, breaks: bool = False) -> str:
    """Safe HTML of a readable text that will not change."""
    return _rendered(text, breaks=breaks, growing=False)


def _rendered(text: str, *, breaks: bool, growing: bool) -> str:
    events = math.events_with_formulas(text) if "\\(" in text or "\\[" in text else parse(text)
    return _Writer(events, breaks=breaks, growing=growing).html()


class _Writer:
    """Writes the HTML of a list of events.

    What the allow-list must not let through from a text (buttons, checkboxes, MathML, colours) waits as an island, and
    its number stands between noncharacters, which no text contains, until the rest is sanitised.
    """

    def __init__(self, events: list[Event], *, breaks: bool, growing: bool) -> None:
        self._events = events
        self._at = 0
        self._growing = growing
        self._atoms = {**_ATOMS, "SoftBreak": "<br>"} if breaks else _ATOMS
        self._out: list[str] = []
        self._islands: list[str] = []
        self._depth = 0
        self._link = ""
        self._item = 0
        self._columns: list[str] = []
        self._cell = ("td", 0)
        self._has_rows = False
        self._handlers: dict[str, Callable[[Any], None]] = {
            "Start": self._start,
            "End": self._end,
            "Text": self._text,
            "Code": self._code,
            "InlineHtml": self._raw,
            "InlineMath": self._inline_math,
            "DisplayMath": self._display_math,
            "TaskListMarker": self._task,
        }

    def html(self) -> str:
        events, handlers, atoms, out = self._events, self._handlers, self._atoms, self._out
        while self._at < len(events):
            event = events[self._at]
            self._at += 1
            if isinstance(event, str):
                out.append(atoms[event])
            else:
                for kind, value in event.items():
                    handlers[kind](value)
        clean = sanitise.body.clean("".join(out))
        if not self._islands:
            return clean
        return _ISLAND.sub(lambda found: self._islands[int(found[1])], clean)

    def _island(self, html: str) -> None:
        self._out.append(f"\ufdd0{len(self._islands)}\ufdd0")
        self._islands.append(html)

    # Inline content

    def _text(self, text: str) -> None:
        self._out.append(links.with_links(text) if "://" in text and not self._link else escape(text))

    def _code(self, text: str) -> None:
        self._out.append(f"<code>{escape(text)}</code>")

    def _raw(self, text: str) -> None:
        self._out.append(escape(text))

    def _inline_math(self, latex: str) -> None:
        after = self._events[self._at] if self._at < len(self._events) else None
        if isinstance(after, dict) and after.get("Text", " ")[0].isalnum():
            # "$5/$10" names prices.
            self._out.append(escape(f"${latex}$"))
        else:
            self._island(math.formula(latex, display=False))

    def _display_math(self, latex: str) -> None:
        self._island(math.formula(latex, display=True))

    def _task(self, done: bool) -> None:
        self._out[self._item] = '<li class="task">'
        self._island(f'<input type="checkbox" disabled{" checked" * done} aria-label="{"Done" if done else "To do"}"> ')

    # Elements

    def _start(self, tag: Any) -> None:
        name, value = (tag, None) if isinstance(tag, str) else next(iter(tag.items()))
        if whole := _WHOLE.get(name):
            whole(self, value)
            return
        self._depth += 1
        if self._depth <= DEEPEST:
            self._out.append(_START_TAGS.get(name) or _OPENED[name](self, value))

    def _end(self, tag: Any) -> None:
        self._depth -= 1
        if self._depth >= DEEPEST:
            return
        name, value = (tag, None) if isinstance(tag, str) else next(iter(tag.items()))
        self._out.append(_END_TAGS.get(name) or _CLOSED[name](self, value))

    def _open_item(self, _: Any) -> str:
        self._item = len(self._out)
        return "<li>"

    def _open_heading(self, heading: Any) -> str:
        return f"<{heading['level'].lower()}>"

    def _close_heading(self, level: str) -> str:
        return f"</{level.lower()}>"

    def _open_list(self, first: int | None) -> str:
        return "<ul>" if first is None else "<ol>" if first == 1 else f'<ol start="{first}">'

    def _close_list(self, ordered: bool) -> str:
        return "</ol>" if ordered else "</ul>"

    def _open_quote(self, kind: str | None) -> str:
        if kind is None:
            return "<blockquote>"
        return f'<div class="alert alert-{kind.lower()}" role="note"><p class="alert-title">{kind}</p>'

    def _close_quote(self, kind: str | None) -> str:
        return "</div>" if kind else "</blockquote>"

    def _open_link(self, link: Any) -> str:
        url = f"mailto:{link['dest_url']}" if link["link_type"] == "Email" else link["dest_url"]
        if not links.is_safe(url):
            return ""
        self._link = "</a>"
        return links.open_link(url, link["title"])

    def _close_link(self, _: Any) -> str:
        end, self._link = self._link, ""
        return end

    def _open_table(self, columns: list[str]) -> str:
        self._columns, self._has_rows = [_CELL_CLASSES.get(column, "") for column in columns], False
        return '<div class="table-scroll" role="region" aria-label="Table" tabindex="0"><table>'

    def _close_table(self, _: Any) -> str:
        return "</tbody></table></div>" if self._has_rows else "</table></div>"

    def _open_table_head(self, _: Any) -> str:
        self._cell = ("th", 0)
        return "<thead><tr>"

    def _open_row(self, _: Any) -> str:
        self._cell = ("td", 0)
        first, self._has_rows = not self._has_rows, True
        return "<tbody><tr>" if first else "<tr>"

    def _open_cell(self, _: Any) -> str:
        name, column = self._cell
        return f"<{name}{' scope="col"' * (name == 'th')}{self._columns[column]}>"

    def _close_cell(self, _: Any) -> str:
        name, column = self._cell
        self._cell = (name, column + 1)
        return f"</{name}>"

    # Elements that are read to their end at once

    def _image(self, picture: Any) -> None:
        alt = self._text_until("Image")
        self._out.append(links.image(picture["dest_url"], alt, linked=bool(self._link)))

    def _code_block(self, kind: Any) -> None:
        info = "" if isinstance(kind, str) else kind["Fenced"]
        source = self._text_until("CodeBlock")
        still_open = self._growing and all("End" in event for event in self._events[self._at :])
        self._island((code.growing_block if still_open else code.block)(info, source))

    def _html_block(self, _: Any) -> None:
        source = self._text_until("HtmlBlock").strip("\n")
        self._out.append(f'<p class="raw">{escape(source).replace("\n", "<br>")}</p>')

    def _text_until(self, end: str) -> str:
        """The plain text up to the end of the element that just started."""
        pieces: list[str] = []
        depth = 1
        while depth:
            event = self._events[self._at]
            self._at += 1
            if isinstance(event, str):
                pieces.append(" ")
                continue
            for kind, value in event.items():
                if kind == "Start":
                    depth += _name(value) == end
                elif kind == "End":
                    depth -= _name(value) == end
                elif isinstance(value, str):
                    pieces.append(value)
        return "".join(pieces)


def _name(tag: Any) -> str:
    return tag if isinstance(tag, str) else next(iter(tag))


_WHOLE: Final = {"Image": _Writer._image, "CodeBlock": _Writer._code_block, "HtmlBlock": _Writer._html_block}
_OPENED: Final[dict[str, Callable[[_Writer, Any], str]]] = {
    "Item": _Writer._open_item,
    "Heading": _Writer._open_heading,
    "List": _Writer._open_list,
    "BlockQuote": _Writer._open_quote,
    "Link": _Writer._open_link,
    "Table": _Writer._open_table,
    "TableHead": _Writer._open_table_head,
    "TableRow": _Writer._open_row,
    "TableCell": _Writer._open_cell,
}
_CLOSED: Final[dict[str, Callable[[_Writer, Any], str]]] = {
    "Heading": _Writer._close_heading,
    "List": _Writer._close_list,
    "BlockQuote": _Writer._close_quote,
    "Link": _Writer._close_link,
    "Table": _Writer._close_table,
    "TableCell": _Writer._close_cell,
}
