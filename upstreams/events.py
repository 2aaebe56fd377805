"""What a reply is made of: small frozen events, the same for every protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; None means that the upstream did not report the figure.

    `input_tokens` excludes what was read from or written to a prompt cache
    (the Messages API's meaning); `output_tokens` includes thinking.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    thinking_tokens: int | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """Of several calls; what none of them reported stays unknown."""
        sums = {}
        for f in fields(self):
            figures = [value for each in (self, other) if (value := getattr(each, f.name)) is not None]
            sums[f.name] = sum(figures) if figures else None
        return Usage(**sums)

    def updated(self, later: "Usage") -> "Usage":
        """Figures reported later replace earlier ones: both protocols report running totals."""
        known = {f.name: value for f in fields(later) if (value := getattr(later, f.name)) is not None}
        return replace(self, **known)


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The upstream accepted the request. `id` and `model` are its own words, "" when absent."""

    id: str
    model: str


@dataclass(frozen=True, slots=True)
class BlockOpened:
    """A content block begins: `block` in the shape of the Messages API, e.g. {"type": "text", "text": ""}.

    It may already hold content. Unknown types are carried as they came.
    """

    block: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BlockGrew:
    """The open block's text (or thinking, by its type) goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class InputGrew:
    """The open tool call's input goes on, as JSON text; what it comes to is told when the block closes."""

    text: str


@dataclass(frozen=True, slots=True)
class BlockClosed:
    """The open block is complete. `fields` are those known only now: signature, input, citations."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UsageReported:
    usage: Usage


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The upstream said why it stopped.

    `stop_reason` is in the Messages API's words where it has one, else the raw
    value; None when the upstream ended properly without giving a reason.
    `explanation` is the upstream's own account of a refusal, mostly "".
    """

    stop_reason: str | None
    stop_sequence: str | None = None
    explanation: str = ""


type ReplyEvent = ReplyStarted | BlockOpened | BlockGrew | InputGrew | BlockClosed | UsageReported | ReplyEnded

CONTENT: Final = (BlockGrew, InputGrew, BlockClosed, ReplyEnded)
"""What shows that a reply is under way, or over: from then on no other attempt is made."""
