"""What we ask of a model, in no dialect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

type Block = Mapping[str, Any]
type Role = Literal["user", "assistant"]


class Effort(StrEnum):
    """How much a model is to reason; not every model knows each, and the Messages API none below "low"."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


DEFAULT_MAX_TOKENS: Final = 4096
"""The length of an answer, in tokens, where nobody has set a limit."""
MESSAGES_EFFORTS: Final = (Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH, Effort.MAX)
"""Those that the Messages API knows."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message; `blocks` have the shapes of the Messages API."""

    role: Role
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request for one reply. None means "not set": the field is left out of the payload."""

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
    """Tokens the model may think, ≥ 1024; None: no thinking on a budget."""
    thinks_adaptively: bool = False
    """Thinking is on, and how much is left to the model."""
    reasoning_effort: Effort | None = None
    takes_effort: bool = False
    """The model knows an effort. Behind the Messages API not every one does, and the others refuse it."""
    tools: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Definitions, as the Messages API has them: name, description, input_schema."""
    tool_choice: str = "auto"
    """"auto", "any", "none", or the name of the one tool to be called; it says nothing without tools."""
    stream: bool = True
    remarks: Sequence[str] = field(default_factory=tuple)
    """What of the conversation is not in it as it stands there, a sentence each; for people, never sent."""

    @property
    def thinks(self) -> bool:
        """Whether thinking is asked for, of a kind that the Messages API knows."""
        return self.thinks_adaptively or self.thinking_budget is not None
