"""A reply as it ended up, out of its events: what both protocols tell in one piece."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

import orjson

from upstreams.events import (
    BlockClosed,
    BlockGrew,
    BlockOpened,
    InputGrew,
    ReplyEnded,
    ReplyEvent,
    ReplyStarted,
    Usage,
    UsageReported,
)


class Reply:
    """`blocks` are in the shapes of the Messages API."""

    def __init__(self) -> None:
        self.blocks: list[dict[str, Any]] = []
        self.usage = Usage()
        self.end = ReplyEnded(stop_reason=None)
        self._pieces: list[str] = []

    @classmethod
    def of(cls, events: Iterable[ReplyEvent]) -> Self:
        reply = cls()
        for event in events:
            reply.take(event)
        reply._settle()
        return reply

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The tools that the client is to run."""
        return [block for block in self.blocks if block.get("type") == "tool_use"]

    def joined(self, kind: Literal["text", "thinking"]) -> str:
        return "".join(block.get(kind, "") for block in self.blocks if block.get("type") == kind)

    def take(self, event: ReplyEvent) -> None:
        match event:
            case BlockGrew(text):
                self._pieces.append(text)
            case BlockOpened(block):
                self._settle()
                self.blocks.append(dict(block))
            case BlockClosed(fields):
                self._settle()
                if self.blocks:
                    self.blocks[-1] |= fields
            case UsageReported(usage):
                self.usage = self.usage.updated(usage)
            case ReplyEnded():
                self.end = event
            case InputGrew() | ReplyStarted():
                pass

    def _settle(self) -> None:
        """Joining the pieces once keeps a long reply linear."""
        pieces, self._pieces = self._pieces, []
        if not pieces:
            return
        if not self.blocks:
            self.blocks.append({"type": "text", "text": ""})
        field = "thinking" if self.blocks[-1].get("type") == "thinking" else "text"
        self.blocks[-1][field] = self.blocks[-1].get(field, "") + "".join(pieces)


def input_text(block: Mapping[str, Any]) -> str:
    """The input of a closed tool call as JSON text, or as it came when it was none."""
    raw = block.get("raw_input")
    return raw if isinstance(raw, str) else orjson.dumps(block.get("input") or {}).decode()
