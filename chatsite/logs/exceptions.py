"""Describes exceptions for the log, without the values of local variables.

Only the first line of an exception's message is used: in those that follow, databases quote rows, and parsers input.
"""

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Final

from chatsite.logs.text import escape_surrogates, make_first_line_safe, make_safe

LONGEST_TRACEBACK: Final = 16_000
"""Characters of a traceback. Its beginning is cut, because its end says more."""
LONGEST_WORDS: Final = 500
"""Characters of an exception's message."""
MOST_FRAMES: Final = 50
MOST_LINKED: Final = 10
"""Exceptions that are shown of a chain or a group."""
CAUSE: Final = "The above exception was the direct cause of the following exception:"
CONTEXT: Final = "During handling of the above exception, another exception occurred:"


def name_exception(error: BaseException) -> str:
    """For example django.db.utils.IntegrityError."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def read_first_line(error: BaseException) -> str:
    """Returns the first line of the exception's message, without long quotations."""
    try:
        words = str(error)
    except Exception:
        return "its message cannot be shown"
    if isinstance(error, OSError):
        # The system quotes names of files.
        return make_safe(next(iter(words.strip().splitlines()), ""), LONGEST_WORDS)
    return make_first_line_safe(words, LONGEST_WORDS)


def describe_exception(error: BaseException) -> str:
    """Returns the name and the first line of the message."""
    return ": ".join(filter(None, (name_exception(error), read_first_line(error))))


def render_traceback(error: BaseException) -> str:
    """Like Python's own, with causes and groups."""
    text = "\n".join(_render(error, depth=0, seen=set()))
    return text if len(text) <= LONGEST_TRACEBACK else f"…{text[-LONGEST_TRACEBACK:]}"


def _render(error: BaseException, depth: int, seen: set[int]) -> Iterator[str]:
    """Renders each exception once: groups that share theirs would otherwise take exponential time."""
    for link, each in reversed(list(_list_chain(error, seen))):
        yield from _render_frames(each.__traceback__)
        yield describe_exception(each)
        if isinstance(each, BaseExceptionGroup) and depth < MOST_LINKED:
            for member in each.exceptions[:MOST_LINKED]:
                yield from (f"  {line}" for line in _render(member, depth + 1, seen))
        if link:
            yield f"\n{link}\n"


def _list_chain(error: BaseException, seen: set[int]) -> Iterator[tuple[str, BaseException]]:
    """Yields the exception and those that led to it, each with how it led to the one before. Adds them to `seen`."""
    link, each = "", error
    for _ in range(MOST_LINKED):
        if id(each) in seen:
            return
        seen.add(id(each))
        yield link, each
        if each.__cause__ is not None:
            link, each = CAUSE, each.__cause__
        elif each.__context__ is not None and not each.__suppress_context__:
            link, each = CONTEXT, each.__context__


def _render_frames(frames: TracebackType | None) -> Iterator[str]:
    if frames is None:
        return
    yield "Traceback (most recent call last):"
    for frame in traceback.format_tb(frames, limit=-MOST_FRAMES):
        yield from escape_surrogates(frame).rstrip("\n").split("\n")
