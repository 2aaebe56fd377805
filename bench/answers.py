"""Makes up answers of any length, as tokens. Each shape is a kind of text with a cost of its own."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import chain, cycle, islice
from typing import Final

_TOKEN = re.compile(r" ?[^\W_]{1,7}|\n+|[ \t]+|[^\w\s]+|_+")
_PROSE: Final = (
    "The answer depends on **what you measure**, and on when: a cache that is warm hides most of it. Look at "
    "`time.perf_counter` first; [the notes](https://example.org/notes) say why. Most of the rest is plain prose that "
    "goes on for a while, as answers do, with a comma here and there but little else to mark it.\n\n"
)
_ITEMS: Final = (
    "- **Item** with a text of some words and `code`, as lists in answers have\n"
    "- Another one, without marks but for a comma, and a little longer than the first of them\n"
)
_ROW: Final = "| a cell of a few words | 3.14 | and **another** with `code` |\n"
# A table appears once its second line is complete, so these lines have no word that could be a stamp.
_TABLE_HEAD: Final = "| n | ms | % |\n|---|--:|---|\n"
_CODE: Final = "".join(
    f"    total_{number} = compute(value, step={number}) if value else None  # step {number}\n" for number in range(97)
)


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer: `head`, then `body` repeated, then `foot`."""

    head: str
    body: str
    foot: str = "\n"


SHAPES: Final = {
    "mixed": Shape(
        "## What it costs\n\n",
        f"{_PROSE}{_PROSE}{_ITEMS * 3}\n### In code\n\n```python\n{_CODE[:480]}\n```\n\n{_TABLE_HEAD}{_ROW * 4}\n",
    ),
    "paragraphs": Shape("", _PROSE),
    "list": Shape("", _ITEMS),
    "code": Shape("```python\n", _CODE, "\n```\n"),
    "table": Shape(_TABLE_HEAD, _ROW),
}


@cache
def make_tokens(shape: str, count: int) -> list[str]:
    """Returns an answer of exactly `count` tokens of about four characters."""
    parts = SHAPES[shape]
    head, body, foot = (_TOKEN.findall(part) for part in (parts.head, parts.body, parts.foot))
    return [*islice(chain(head, cycle(body)), count - len(foot)), *foot]
