r"""Formulas in a text: between dollars, which the parser knows, in \(…\) and \[…\], and bare environments."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final

from conversations.markdown import latex
from conversations.markdown.parse import INLINE, Event, parse, parse_with_range
from conversations.markdown.spaceless import is_letter, separate_emphasis

_CLOSERS: Final = {b"(": b")", b"[": b"]"}
ENVIRONMENT: Final = r"(?:align|alignat|flalign|gather|multline|equation|eqnarray)\*?"
_MARK = re.compile(rb"\\(?:begin\{(" + ENVIRONMENT.encode() + rb")\}|(.))", re.DOTALL)
_MAY_OPEN = re.compile(r"\\(?:[(\[]|begin\{)")
_LEADING = re.compile(rb"[ \t>]*")
_LOOKS_LIKE_MATH = re.compile(r"\\[A-Za-z]|[=^_{}<>+]|[0-9] *[-*/] *[0-9]")
_PROSE = re.compile(r"[0-9][^\\^_={}]* [A-Za-z]{2,} ")
_ROUNDS: Final = 5
_LONGEST: Final = 4 * latex.LONGEST


def parse_with_formulas(text: str) -> list[Event]:
    """Returns the events of a text, with InlineMath and DisplayMath for its formulas, however they are written."""
    text = separate_emphasis(text)
    events = parse(text)
    if "$" in text:
        # Other dollars can make a pair after those of prices are escaped, so it looks again, a few times.
        for _ in range(_ROUNDS):
            if not any(_find_prices(events)):
                break
            text = _escape_prices(text)
            events = parse(text)
    return _parse_masked(text) if _MAY_OPEN.search(text) else events


def _find_prices(events: list[Event]) -> Iterator[bool]:
    """Yields for each event whether it is a pair of dollars that is not a formula: $5/$10, $HOME/$USER."""
    for event, after in zip(events, [*events[1:], ""], strict=True):
        formula = event.get("InlineMath") if isinstance(event, dict) else None
        text = after.get("Text", "") if isinstance(after, dict) else ""
        yield formula is not None and is_price(formula, text)


def is_price(formula: str, after: str) -> bool:
    return (after[:1].isalnum() and not is_letter(after[0])) or _PROSE.match(formula) is not None


def _escape_prices(text: str) -> str:
    """Escapes the first of each pair of dollars that is not a formula, so that the rest is read as Markdown."""
    ranges = list(parse_with_range(text))
    are_prices = _find_prices([event for event, _ in ranges])
    starts = [span["start"] for (_, span), is_one in zip(ranges, are_prices, strict=True) if is_one]
    raw = text.encode()
    return b"\\".join(raw[start:end] for start, end in zip([0, *starts], [*starts, len(raw)], strict=True)).decode()


def _parse_masked(text: str) -> list[Event]:
    """Masks the formulas with letters and parses the text again, so that nothing inside them is read as Markdown."""
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
    places = _InlinePlaces(text)
    opened: tuple[int, bytes, int] | None = None
    done = 0
    for found in _MARK.finditer(raw):
        if found.start() < done:
            continue
        environment, mark = found[1], found[2]
        place = places.find(found.start() + (mark is not None))
        if place is None:
            continue
        if environment and not (opened and opened[0] == place):
            end = raw.find(b"\\end{" + environment + b"}", found.end(), found.end() + _LONGEST)
            if end >= 0 and places.find(end) == place:
                done = end + len(environment) + len(rb"\end{}")
                yield found.start(), done, {"DisplayMath": _dedent(raw[found.start() : done])}
        elif opened and opened[0] == place and mark == opened[1]:
            if event := _make_event(raw, opened[2], found.end()):
                yield opened[2], found.end(), event
            opened = None
        elif mark in _CLOSERS:
            opened = place, _CLOSERS[mark], found.start()


class _InlinePlaces:
    """Which block's text each offset is in."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._places: list[tuple[int, int]] = []
        block, is_code = 0, False
        for event, span in parse_with_range(text):
            if isinstance(event, dict):
                if "Text" in event and not is_code:
                    self._starts.append(span["start"])
                    self._places.append((span["end"], block))
                elif (tag := event.get("Start") or event.get("End")) and tag not in INLINE:
                    block += 1
                    is_code = "Start" in event and "CodeBlock" in tag

    def find(self, offset: int) -> int | None:
        """Returns the number of the block, None if the offset is not in its text."""
        at = bisect_right(self._starts, offset) - 1
        if at < 0:
            return None
        end, block = self._places[at]
        return block if offset < end else None


def _make_event(raw: bytes, start: int, end: int) -> Event | None:
    formula = _dedent(raw[start + 2 : end - 2])
    if not formula:
        return None
    if raw[start + 1 : start + 2] == b"(":
        return {"InlineMath": formula}
    before = raw[raw.rfind(b"\n", 0, start) + 1 : start]
    after = raw[end : raw.find(b"\n", end) % (len(raw) + 1)]
    is_alone = not before.strip(b" \t>-*+.)0123456789") and not after.strip(b" \t.,;:")
    return {"DisplayMath": formula} if is_alone or _LOOKS_LIKE_MATH.search(formula) else None


def _dedent(raw: bytes) -> str:
    """Returns LaTeX without what its lines start with in a quote or an item."""
    first, *others = raw.decode().split("\n")
    return "\n".join([first, *(line.lstrip(" \t>") for line in others)]).strip()


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
