"""What we ask of a model, in no dialect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

type Block = Mapping[str, Any]
type Role = Literal["user", "assistant"]


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
    """Tokens the model may think, ≥ 1024; None: thinking is off."""
    tools: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Definitions, as the Messages API has them: name, description, input_schema."""
    tool_choice: str = "auto"
    """"auto", "any", "none", or the name of the one tool to be called; it says nothing without tools."""
    stream: bool = True
    remarks: Sequence[str] = field(default_factory=tuple)
    """What of the conversation is not in it as it stands there, a sentence each; for people, never sent."""
