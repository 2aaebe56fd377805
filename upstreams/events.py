"""The events that a reply consists of: small, frozen, and the same for every protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

MAX_TOKENS: Final = 100_000_000
"""The most tokens that a request may ask for or an upstream may report: ten times the longest context window.

The cost of so many fits a 64-bit column at any price that can be entered.
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; None means that the upstream did not report the figure.

    `input_tokens` excludes tokens read from and written to a prompt cache, as in the Messages API. `output_tokens`
    includes thinking.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    thinking_tokens: int | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """The usage of several calls. A figure that none of them reported stays unknown."""
        sums = {}
        for f in fields(self):
            figures = [value for each in (self, other) if (value := getattr(each, f.name)) is not None]
            sums[f.name] = sum(figures) if figures else None
        return Usage(**sums)

    def merge(self, later: "Usage") -> "Usage":
        """Later figures replace earlier ones, since both protocols report running totals."""
        known = {f.name: value for f in fields(later) if (value := getattr(later, f.name)) is not None}
        return replace(self, **known)


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The upstream accepted the request. `id` and `model` are its own words, "" when absent."""

    id: str
    model: str


@dataclass(frozen=True, slots=True)
class BlockOpened:
    """A content block begins: `block` has the shape of the Messages API, e.g. {"type": "text", "text": ""}.

    It may already have content. Unknown types are passed on unchanged.
    """

    block: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BlockGrew:
    """The open block gets more text or, by its type, more thinking."""

    text: str


@dataclass(frozen=True, slots=True)
class InputGrew:
    """The open tool call gets more input, as JSON text. BlockClosed has the parsed input."""

    text: str


@dataclass(frozen=True, slots=True)
class BlockClosed:
    """The open block is complete. `fields` are those known only now, such as signature, input and citations."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TextWasThinking:
    """The open text block is complete, and all of it was thinking, except a `prefix` that belongs to the format.

    `tags` are those of the block (see reply.py).
    """

    prefix: str = ""
    tags: tuple[str, str] | None = None

    def find_thinking(self, text: str) -> str:
        """The thinking in the text of the block."""
        return text.removeprefix(self.prefix).lstrip() if self.prefix else text


@dataclass(frozen=True, slots=True)
class UsageReported:
    usage: Usage


@dataclass(frozen=True, slots=True)
class SettingRefused:
    """The upstream refused a setting, so the reply is written without it. `remark` is a sentence for people."""

    remark: str


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """The upstream has ended the reply properly.

    `stop_reason` is the Messages API's word if there is one, else the upstream's; None if it gave no reason.
    `explanation` is the upstream's explanation of a refusal, mostly "".
    """

    stop_reason: str | None
    stop_sequence: str | None = None
    explanation: str = ""


type ReplyEvent = (
    ReplyStarted
    | SettingRefused
    | BlockOpened
    | BlockGrew
    | InputGrew
    | BlockClosed
    | TextWasThinking
    | UsageReported
    | ReplyEnded
)

CONTENT: Final = (BlockGrew, InputGrew, BlockClosed, TextWasThinking, ReplyEnded)
"""Events that show that the reply has begun. After one of them the request is not repeated."""
