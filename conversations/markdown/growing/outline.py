"""Where the blocks of a text begin: what the streaming renderer cuts by."""

import re
from dataclasses import dataclass, field

from conversations.markdown.parse import parse_with_range

_UNITS = {"List": "Item", "Table": "TableRow"}
_NO_ITEM = re.compile(r"[^ \t0-9*+-]|[*+-][^ \t*+-]|\*\*|[0-9]+[^0-9.)]|[0-9]+[.)][^ \t]")
_UNBROKEN = frozenset({"FencedCode", "HtmlBlock"})


@dataclass(slots=True)
class Block:
    """A top-level block: its kind, the offset of the line it starts on, and those of its items or rows."""

    kind: str
    start: int
    units: list[int] = field(default_factory=list)
    is_loose: bool = False


def outline(text: str) -> list[Block]:
    """The top-level blocks of a text in order; link reference definitions are none."""
    raw = text.encode()
    blocks: list[Block] = []
    path: list[str] = []
    for event, span in parse_with_range(text):
        if isinstance(event, str):
            if not path and event == "Rule":
                blocks.append(Block("Rule", _line_of(raw, span["start"])))
        elif "End" in event:
            path.pop()
        elif "Start" in event:
            kind = _kind(event["Start"])
            if not path:
                blocks.append(Block(kind, _line_of(raw, span["start"])))
            elif len(path) == 1 and kind == _UNITS.get(path[0]):
                blocks[-1].units.append(_line_of(raw, span["start"]))
            elif len(path) == 2 and kind == "Paragraph" and path[1] == "Item":
                blocks[-1].is_loose = True
            path.append(kind)
    return blocks


def _kind(tag: str | dict[str, object]) -> str:
    if isinstance(tag, str):
        return tag
    kind, value = next(iter(tag.items()))
    return "FencedCode" if kind == "CodeBlock" and isinstance(value, dict) else kind


def _line_of(raw: bytes, offset: int) -> int:
    """The character offset of the start of the line that a byte stands on."""
    start = raw.rfind(b"\n", 0, offset) + 1
    return len(raw[:start].decode())


def starts_new_block(source: str, kind: str) -> bool:
    """Whether the incomplete last line of a text, after a blank one, surely begins a block after one of this kind."""
    start = source.rfind("\n") + 1
    if start == len(source) or kind in _UNBROKEN or not is_after_blank_line(source, start):
        return False
    return _NO_ITEM.match(source, start) is not None if kind == "List" else source[start] not in " \t"


def is_after_blank_line(source: str, start: int) -> bool:
    """Whether the line that starts there follows one of nothing but space."""
    return start > 1 and not source[source.rfind("\n", 0, start - 1) + 1 : start].strip(" \t\n")
