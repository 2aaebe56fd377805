"""Where the blocks of a text begin."""

import re
from dataclasses import dataclass, field

from conversations.markdown.parse import parse_with_range

_UNITS = {"List": "Item", "Table": "TableRow"}
_NOT_AN_ITEM = re.compile(r"[^ \t0-9*+-]|[*+-][^ \t*+-]|\*\*|[0-9]+[^0-9.)]|[0-9]+[.)][^ \t]")
_UNBROKEN = frozenset({"FencedCode", "HtmlBlock"})


@dataclass(slots=True)
class Block:
    """A top-level block: its kind, the offset of its first line, and those of its items or rows."""

    kind: str
    start: int
    units: list[int] = field(default_factory=list)
    is_loose: bool = False


def find_blocks(text: str) -> list[Block]:
    """Returns the top-level blocks of a text in order. Link reference definitions do not count."""
    raw = text.encode()
    blocks: list[Block] = []
    path: list[str] = []
    for event, span in parse_with_range(text):
        if isinstance(event, str):
            if not path and event == "Rule":
                blocks.append(Block("Rule", _find_line(raw, span["start"])))
        elif "End" in event:
            path.pop()
        elif "Start" in event:
            kind = _kind_of(event["Start"])
            if not path:
                blocks.append(Block(kind, _find_line(raw, span["start"])))
            elif len(path) == 1 and kind == _UNITS.get(path[0]):
                blocks[-1].units.append(_find_line(raw, span["start"]))
            elif len(path) == 2 and kind == "Paragraph" and path[1] == "Item":
                blocks[-1].is_loose = True
            path.append(kind)
    return blocks


def _kind_of(tag: str | dict[str, object]) -> str:
    if isinstance(tag, str):
        return tag
    kind, value = next(iter(tag.items()))
    return "FencedCode" if kind == "CodeBlock" and isinstance(value, dict) else kind


def _find_line(raw: bytes, offset: int) -> int:
    """Returns the character offset of the start of the line that a byte is in."""
    start = raw.rfind(b"\n", 0, offset) + 1
    return len(raw[:start].decode())


def starts_new_block(source: str, kind: str) -> bool:
    """Whether the incomplete last line of a text follows a blank one and certainly ends a block of this kind."""
    start = source.rfind("\n") + 1
    if start == len(source) or kind in _UNBROKEN or not is_after_blank_line(source, start):
        return False
    return _NOT_AN_ITEM.match(source, start) is not None if kind == "List" else source[start] not in " \t"


def is_after_blank_line(source: str, start: int) -> bool:
    """Whether the line that starts there follows a blank line."""
    return start > 1 and not source[source.rfind("\n", 0, start - 1) + 1 : start].strip(" \t\n")
