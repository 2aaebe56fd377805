"""Requests to a model, independent of the protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

type Block = Mapping[str, Any]
type Role = Literal["user", "assistant"]


class Effort(StrEnum):
    """How much a model should reason. Models support some of these, and the Messages API none below "low"."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


DEFAULT_MAX_TOKENS: Final = 4096
"""The output limit, in tokens, of requests without one."""
MESSAGES_EFFORTS: Final = (Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH, Effort.MAX)
"""The efforts that the Messages API supports."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message. Its blocks have the shapes of the Messages API."""

    role: Role
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for one reply. A field that is None is left out of the payload."""

    model: str
    messages: Sequence[ChatMessage]
    system: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop_sequences: Sequence[str] = field(default_factory=tuple)
    thinking_budget: int | None = None
    """The maximum of thinking tokens, at least 1024; None for no thinking with a budget."""
    thinks_adaptively: bool = False
    """The model decides how much it thinks."""
    thinking_is_off: bool = False
    """The model must not think, even if it does by default."""
    reasoning_effort: Effort | None = None
    takes_effort: bool = False
    """Whether the model accepts an effort. Not all models behind the Messages API do."""
    tools: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Definitions in the shape of the Messages API: name, description, input_schema."""
    tool_choice: str = "auto"
    """"auto", "any", "none", or the name of the tool to call. It has no effect without tools."""
    user: str = ""
    """A pseudonym of the person who asks, at most 64 characters."""
    stream: bool = True
    remarks: Sequence[str] = field(default_factory=tuple)
    """A sentence, for people, for each part of the conversation that is left out or changed. Never sent."""

    @property
    def thinks(self) -> bool:
        """Whether the request asks for thinking in a way that the Messages API supports."""
        return self.thinks_adaptively or self.thinking_budget is not None
