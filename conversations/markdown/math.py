r"""Formulas: LaTeX as MathML, and the delimiters \(…\) and \[…\] that Markdown itself does not know."""

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any, Final
from xml.etree.ElementTree import tostring

from latex2mathml.converter import convert_to_element

from conversations.markdown import sanitise
from conversations.markdown.drawing_time import DrawingTime
from conversations.markdown.parse import INLINE, Event, parse_with_range
from conversations.markdown.sanitise import escape

LONGEST: Final = 1000
"""Characters of a formula; a longer one is shown as its source."""

# Environments that latex2mathml does not know, and draws correctly as align*.
_ALIKE = re.compile(r"\\(begin|end)\{(?:aligned|alignedat|gather\*?|gathered|split|eqnarray\*?|equation\*?)\}")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_LEADING = re.compile(rb"[ \t>]*")


def render_formula(latex: str, time: DrawingTime, *, display: bool) -> str:
    """Returns a formula as sanitised MathML, or its source as code if it cannot be drawn, or not in time."""
    return time.draw(partial(_draw, latex, display), partial(_render_source, latex))


@lru_cache(maxsize=512)
def _draw(latex: str, display: bool) -> str:
    drawn = _convert(latex, "block" if display else "inline") if len(latex) <= LONGEST else ""
    if not drawn:
        return _render_source(latex)
    return f'<span class="math">{drawn}</span>' if display else drawn


def _render_source(latex: str) -> str:
    return f"<code>{escape(latex.strip())}</code>"


def _convert(latex: str, display: str) -> str:
    try:
        tree = convert_to_element(_ALIKE.sub(r"\\\1{align*}", latex), display=display)
    except Exception:  # On invalid LaTeX the library raises its own errors, but also IndexError, RecursionError…
        return ""
    for element in tree.iter():
        # The library stores character references as text and relies on a serialiser that undoes all escaping.
        element.text = html.unescape(element.text) if element.text else None
    del tree.attrib["xmlns"]
    return sanitise.math.clean(tostring(tree, encoding="unicode"))


def parse_with_formulas(text: str) -> list[Event]:
    r"""Returns the events of a text, with InlineMath for each \(…\) and DisplayMath for each \[…\] on its own lines.

    It masks the formulas with letters and parses the text again, so that nothing inside them is read as Markdown.
    """
    raw = text.encode()
    found = list(_find_formulas(raw, text))
    masked = bytearray(raw)
    for start, end, _ in found:
        masked[start:end] = b"".join(_mask(line) for line in raw[start:end].splitlines(keepends=True))
    return _merge_texts(_put_back(parse_with_range(masked.decode()), masked, found))


def _merge_texts(events: Iterator[Event]) -> list[Event]:
    """Joins texts that touch, as the parser does when it is not asked for offsets."""
    merged: list[Event] = []
    for event in events:
        if merged and "Text" in event and "Text" in merged[-1]:
            merged[-1] = {"Text": merged[-1]["Text"] + event["Text"]}
        else:
            merged.append(event)
    return merged


def _find_formulas(raw: bytes, text: str) -> Iterator[tuple[int, int, Event]]:
    """Yields start, end and event of each formula, in order. Opener and closer are in the same inline content."""
    places = _find_inline_places(text)
    opened: tuple[int, bytes, int] | None = None
    for found in _ESCAPED.finditer(raw):
        place, mark = places.get(found.start(1)), found[1]
        if place is None:
            continue
        if opened and opened[0] == place and mark == opened[1]:
            start, end = opened[2], found.end()
            if event := _make_event(raw, start, end):
                yield start, end, event
            opened = None
        elif mark in b"([":
            opened = place, {b"(": b")", b"[": b"]"}[mark], found.start()


def _find_inline_places(text: str) -> dict[int, int]:
    """Returns, for each offset at which a piece of text starts, the number of its block."""
    places: dict[int, int] = {}
    block = 0
    for event, span in parse_with_range(text):
        if isinstance(event, dict):
            if "Text" in event:
                places[span["start"]] = block
            elif (tag := event.get("Start") or event.get("End")) and tag not in INLINE:
                block += 1
    return places


def _make_event(raw: bytes, start: int, end: int) -> Event | None:
    lines = raw[start + 2 : end - 2].decode().split("\n")
    latex = "\n".join([lines[0], *(line.lstrip(" \t>") for line in lines[1:])]).strip()
    if not latex:
        return None
    if raw[start + 1 : start + 2] == b"(":
        return {"InlineMath": latex}
    before = raw[raw.rfind(b"\n", 0, start) + 1 : start]
    after = raw[end : raw.find(b"\n", end) if b"\n" in raw[end:] else len(raw)]
    alone = not before.strip(b" \t>-*+.)0123456789") and not after.strip(b" \t.,;:")
    return {"DisplayMath": latex} if alone else None


def _mask(line: bytes) -> bytes:
    """Replaces a line of a formula by letters, except its start and its bars, which may matter to the blocks around."""
    start = _LEADING.match(line)
    kept = start[0] if start else b""
    return kept + re.sub(rb"[^\n|]", b"x", line[len(kept) :])


def _put_back(
    events: Iterator[tuple[Event, Any]], masked: bytearray, found: list[tuple[int, int, Event]]
) -> Iterator[Event]:
    """Yields the events of the masked text with each formula in the place of its mask."""
    starts = [start for start, _, _ in found]
    written = 0
    for event, span in events:
        if not isinstance(event, dict) or "Text" not in event:
            if not (isinstance(event, str) and span["start"] < written):
                yield event
            continue
        start, end = max(span["start"], written), span["end"]
        at = bisect_right(starts, start - 1)
        while at < len(found) and starts[at] < end:
            if start < starts[at]:
                yield {"Text": masked[start : starts[at]].decode()}
            yield found[at][2]
            start = written = found[at][1]
            at += 1
        if start == span["start"]:
            yield event
        elif start < end:
            yield {"Text": masked[start:end].decode()}
