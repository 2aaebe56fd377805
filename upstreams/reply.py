"""Folds the events of a reply into its content and facts. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Self

from upstreams.events import (
    BlockClosed,
    BlockGrew,
    BlockOpened,
    InputGrew,
    ReplyEnded,
    ReplyEvent,
    ReplyStarted,
    TextWasThinking,
    Usage,
    UsageReported,
)

CUT_REASONS: Final = ("max_tokens", "model_context_window_exceeded")
"""The stop reasons of a reply that may end in the middle of a block."""
WRITTEN: Final = ("text", "thinking")
"""The types of blocks that grow, each in the field of the same name. Other blocks arrive whole."""


TAGS: Final = "tags"
"""The field of thinking that was found in the text: the text before and after it, or None if it cannot be sent back.
Thinking without this field came from the server as thinking."""


def build_thinking(text: str, tags: Sequence[str] | None = None) -> dict[str, Any]:
    """A block of thinking that was found in the text."""
    return {"type": "thinking", "thinking": text, "signature": "", TAGS: None if tags is None else list(tags)}


class ReplyFacts:
    """The facts that a reply reports beside its content. `end` is None until the upstream has ended it properly."""

    def __init__(self) -> None:
        self.id = self.model = ""
        self.usage = Usage()
        self.end: ReplyEnded | None = None

    @property
    def stop_reason(self) -> str | None:
        return self.end.stop_reason if self.end else None

    @property
    def explanation(self) -> str:
        return self.end.explanation if self.end else ""

    def note(self, event: ReplyEvent) -> None:
        match event:
            case UsageReported(usage):
                self.usage = self.usage.merge(usage)
            case ReplyStarted(id=reply_id, model=model):
                self.id, self.model = reply_id, model
            case ReplyEnded():
                self.end = event


class FoldedReply(ReplyFacts):
    """A reply with its content, which follows any `blocks` given.

    The blocks can be stored and sent back verbatim. A tool call with incomplete input keeps it as `raw_input`; such
    a call must not be made.
    """

    def __init__(self, blocks: Iterable[Mapping[str, Any]] = ()) -> None:
        super().__init__()
        self._blocks = [dict(block) for block in blocks]
        # Pieces of the open block are joined only when it is read, so the cost of a long reply stays linear.
        self._pieces: list[str] = []

    @classmethod
    def of(cls, events: Iterable[ReplyEvent]) -> Self:
        reply = cls()
        for event in events:
            reply.apply(event)
        return reply

    def apply(self, event: ReplyEvent) -> None:
        match event:
            case BlockGrew(text):
                self._pieces.append(text)
            case BlockOpened(block):
                self._join_pieces()
                self._blocks.append({**block, "raw_input": ""} if block.get("type") == "tool_use" else dict(block))
            case InputGrew(text):
                if self._blocks and self._blocks[-1].get("type") == "tool_use":
                    self._pieces.append(text)
            case BlockClosed(fields):
                self._join_pieces()
                if self._blocks:
                    self._blocks[-1].pop("raw_input", None)
                    self._blocks[-1].update(fields)
            case TextWasThinking():
                self._join_pieces()
                if self._blocks and self._blocks[-1].get("type") == "text":
                    self._blocks[-1] = build_thinking(event.find_thinking(self._blocks[-1]["text"]), event.tags)
            case _:
                self.note(event)

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """A copy, which later events do not change."""
        self._join_pieces()
        return [dict(block) for block in self._blocks]

    @property
    def has_content(self) -> bool:
        self._join_pieces()
        kinds = [(block, block.get("type")) for block in self._blocks]
        return any(block.get(kind) if kind in WRITTEN else kind for block, kind in kinds)

    def _join_pieces(self) -> None:
        if not self._pieces:
            return
        if not self._blocks:
            self._blocks.append({"type": "text", "text": ""})
        block = self._blocks[-1]
        kind = block.get("type")
        field = "raw_input" if kind == "tool_use" else kind if kind in WRITTEN else "text"
        block[field] = block.get(field, "") + "".join(self._pieces)
        self._pieces.clear()
