"""Writes events as HTML: everything is escaped and the whole is sanitised, before it gets our own controls."""

import re
from collections.abc import Callable
from operator import length_hint
from typing import Any, Final

from conversations.markdown import code, html_tags, latex, links, sanitise
from conversations.markdown.drawing_time import DrawingTime
from conversations.markdown.parse import Event
from conversations.markdown.sanitise import mask

DEEPEST: Final = 60
"""Levels of nesting that are drawn. Browsers stop at about 500, and nobody reads that far."""

_START_TAGS: Final = {"Paragraph": "<p>", "Emphasis": "<em>", "Strong": "<strong>", "Strikethrough": "<del>"}
_END_TAGS: Final = {
    **{"Paragraph": "</p>", "Emphasis": "</em>", "Strong": "</strong>", "Strikethrough": "</del>"},
    **{"Item": "</li>", "TableHead": "</tr></thead>", "TableRow": "</tr>"},
}
# Models break lines where they want them broken.
_ATOMS: Final = {"SoftBreak": "<br>", "HardBreak": "<br>", "Rule": "<hr>"}
_FIRST_LEVEL: Final = 3
"""The level of the first heading in a text. The first two belong to the page and to the message."""
_LOWEST_LEVEL: Final = 6
_ISLAND = re.compile("\ufdd0([0-9]+)\ufdd0")
_BLOCK = re.compile(r"<(p|ul|ol|h[3-6]|blockquote|table|td|th|details|summary)(?=[ >])")
"""The elements whose direction of writing is that of their own first letter."""
_CELL_CLASSES: Final = {"Center": ' class="center"', "Right": ' class="right"'}


class Writer:
    """Writes a list of events as HTML. It consumes the events, so it can do so once.

    What the allow-list must not let through from a text (buttons, checkboxes, MathML, colours) is an island. Until the
    rest is sanitised, a number between noncharacters, which no text contains, takes its place.
    """

    def __init__(
        self, events: list[Event], time: DrawingTime, sections: list[int], *, growing: bool, has_two_directions: bool
    ) -> None:
        self._events = events
        self._time = time
        self._sections = sections
        """The numbers of # of the headings that the next block is under. Writing continues this list."""
        self._rest = iter(events)
        self._growing = growing
        self._has_two_directions = has_two_directions
        self._out: list[str] = []
        self._islands: list[str] = []
        self._depth = 0
        self._link = ""
        self._tags: dict[int, str] | None = None

    def write(self) -> str:
        out = self._out
        for event in self._rest:
            if event.__class__ is str:
                out.append(_ATOMS[event])
                continue
            kind, value = event.popitem()
            if kind == "Text" and "://" not in value:
                out.append(mask(value))
            else:
                _WRITERS[kind](self, value)
        clean = sanitise.clean_body("".join(out))
        if self._has_two_directions:
            clean = _BLOCK.sub(r'<\1 dir="auto"', clean)
        if not self._islands:
            return clean
        return _ISLAND.sub(lambda found: self._islands[int(found[1])], clean)

    def _add_island(self, html: str) -> None:
        self._out.append(f"\ufdd0{len(self._islands)}\ufdd0")
        self._islands.append(html)

    def _position(self) -> int:
        """Returns the index of the next event."""
        return len(self._events) - length_hint(self._rest)

    # Inline content

    def _write_text(self, text: str) -> None:
        self._out.append(mask(text) if self._link else links.link_addresses(text))

    def _write_code(self, text: str) -> None:
        self._out.append(f"<code>{mask(text)}</code>")

    def _write_inline_html(self, source: str) -> None:
        if self._tags is None:
            self._tags = html_tags.find_drawn(self._events, self._position() - 1, source)
        self._out.append(self._tags.get(self._position() - 1) or mask(source))

    def _write_inline_math(self, formula: str) -> None:
        self._add_island(latex.render_formula(formula, self._time, display=False))

    def _write_display_math(self, formula: str) -> None:
        self._add_island(latex.render_formula(formula, self._time, display=True))
        at = self._position()
        if self._events[at : at + 1] == ["SoftBreak"]:
            # A formula of its own ends its line.
            next(self._rest)

    def _write_footnote_mark(self, name: str) -> None:
        self._out.append(_render_footnote_mark(name))

    def _write_task(self, done: bool) -> None:
        self._out[self._item] = '<li class="task">'
        self._add_island(
            f'<input type="checkbox" disabled{" checked" * done} aria-label="{"Done" if done else "To do"}"> '
        )

    # Elements

    def _start_element(self, tag: Any) -> None:
        name, value = (tag, None) if tag.__class__ is str else next(iter(tag.items()))
        if whole := _WHOLE_ELEMENTS.get(name):
            whole(self, value)
            return
        self._depth += 1
        if self._depth <= DEEPEST:
            self._out.append(_START_TAGS.get(name) or _START_TAG_WRITERS[name](self, value))

    def _end_element(self, tag: Any) -> None:
        self._depth -= 1
        if self._depth >= DEEPEST:
            return
        if tag.__class__ is str:
            self._out.append(_END_TAGS.get(tag) or _END_TAG_WRITERS[tag](self, None))
        else:
            name, value = next(iter(tag.items()))
            self._out.append(_END_TAG_WRITERS[name](self, value))

    def _open_item(self, _: Any) -> str:
        self._item = len(self._out)
        return "<li>"

    def _open_heading(self, heading: Any) -> str:
        """Gives a heading the level below the heading it is under, so that none is skipped. Its size is as written."""
        size = int(heading["level"][1])
        # A heading in a list or a quotation has no section.
        if self._depth == 1:
            self._sections[:] = [above for above in self._sections if above < size]
        self._heading = f"h{min(_FIRST_LEVEL + len(self._sections), _LOWEST_LEVEL)}"
        if self._depth == 1:
            self._sections.append(size)
        return f'<{self._heading} class="size-{size}">' if size < 3 else f"<{self._heading}>"

    def _close_heading(self, _: Any) -> str:
        return f"</{self._heading}>"

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
        return '<div class="table-scroll" role="group" aria-label="Table" tabindex="0"><table>'

    def _close_table(self, _: Any) -> str:
        return "</tbody></table></div>" if self._has_rows else "</table></div>"

    def _open_table_head(self, _: Any) -> str:
        self._start_of_cell, self._end_of_cell, self._column = '<th scope="col"', "</th>", 0
        return "<thead><tr>"

    def _open_row(self, _: Any) -> str:
        self._start_of_cell, self._end_of_cell, self._column = "<td", "</td>", 0
        first, self._has_rows = not self._has_rows, True
        return "<tbody><tr>" if first else "<tr>"

    def _open_cell(self, _: Any) -> str:
        self._column += 1
        return f"{self._start_of_cell}{self._columns[self._column - 1]}>"

    def _close_cell(self, _: Any) -> str:
        return self._end_of_cell

    def _open_footnote(self, name: str) -> str:
        return f'<div class="footnote">{_render_footnote_mark(name)}'

    def _close_footnote(self, _: Any) -> str:
        return "</div>"

    # Elements that are read to their end

    def _write_image(self, picture: Any) -> None:
        alt = self._read_text_until("Image")
        self._out.append(links.render_image(picture["dest_url"], alt, in_link=bool(self._link)))

    def _write_code_block(self, kind: Any) -> None:
        info = "" if isinstance(kind, str) else kind["Fenced"]
        source = self._read_text_until("CodeBlock")
        is_open = self._growing and all("End" in event for event in self._events[self._position() :])
        self._add_island(code.render_block(info, source, None if is_open else self._time))

    def _write_html_block(self, _: Any) -> None:
        self._out.append(html_tags.render_block(self._read_text_until("HtmlBlock")))

    def _read_text_until(self, end: str) -> str:
        """Reads the plain text up to the end of the element that has just started."""
        pieces: list[str] = []
        depth = 1
        for event in self._rest:
            if isinstance(event, str):
                pieces.append(" ")
                continue
            for kind, value in event.items():
                if kind == "Start":
                    depth += _name_of(value) == end
                elif kind == "End":
                    depth -= _name_of(value) == end
                elif isinstance(value, str):
                    pieces.append(value)
            if not depth:
                break
        return "".join(pieces)


def _render_footnote_mark(name: str) -> str:
    return f'<sup class="footnote-mark">{mask(name)}</sup>'


def _name_of(tag: Any) -> str:
    return tag if isinstance(tag, str) else next(iter(tag))


_WRITERS: Final[dict[str, Callable[[Writer, Any], None]]] = {
    "Start": Writer._start_element,
    "End": Writer._end_element,
    "Text": Writer._write_text,
    "Code": Writer._write_code,
    "InlineHtml": Writer._write_inline_html,
    "FootnoteReference": Writer._write_footnote_mark,
    "InlineMath": Writer._write_inline_math,
    "DisplayMath": Writer._write_display_math,
    "TaskListMarker": Writer._write_task,
}
_WHOLE_ELEMENTS: Final = {
    "Image": Writer._write_image,
    "CodeBlock": Writer._write_code_block,
    "HtmlBlock": Writer._write_html_block,
}
_START_TAG_WRITERS: Final[dict[str, Callable[[Writer, Any], str]]] = {
    "Item": Writer._open_item,
    "Heading": Writer._open_heading,
    "List": Writer._open_list,
    "BlockQuote": Writer._open_quote,
    "Link": Writer._open_link,
    "Table": Writer._open_table,
    "TableHead": Writer._open_table_head,
    "TableRow": Writer._open_row,
    "TableCell": Writer._open_cell,
    "FootnoteDefinition": Writer._open_footnote,
}
_END_TAG_WRITERS: Final[dict[str, Callable[[Writer, Any], str]]] = {
    "Heading": Writer._close_heading,
    "List": Writer._close_list,
    "BlockQuote": Writer._close_quote,
    "Link": Writer._close_link,
    "Table": Writer._close_table,
    "TableCell": Writer._close_cell,
    "FootnoteDefinition": Writer._close_footnote,
}
