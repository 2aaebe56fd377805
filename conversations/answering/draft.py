"""A reply as it grows: events in, content blocks out."""

from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any

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

# Which field of a block its growth belongs to; other kinds only open and close.
GROWING_FIELDS = {"text": "text", "thinking": "thinking"}


class Draft:
    """The fold of a reply's events, on top of `blocks` that are there already.

    Its own `blocks` are fit to be stored and sent back verbatim. A call whose input is not
    complete has what there is of it as `raw_input`: cut there, it must not be made.
    """

    def __init__(self, blocks: Iterable[Mapping[str, Any]] = (), spent: Usage | None = None) -> None:
        self.usage = Usage()
        self.stop_reason: str | None = None
        self.explanation = ""
        self.model = ""
        self._blocks = [dict(block) for block in blocks]
        # The open block's text in pieces: joining them when somebody asks keeps a long reply linear.
        self._pieces: list[str] = []
        self._earlier = spent or Usage()

    @property
    def spent(self) -> Usage:
        """The usage of all calls of the upstream that the reply has taken."""
        return self._earlier + self.usage

    def begin_call(self) -> None:
        """The upstream is called once more, for what follows the results of tools."""
        self._earlier, self.usage, self.stop_reason = self.spent, Usage(), None

    def answer(self, result: Mapping[str, Any]) -> None:
        """The result of a tool, which no event brings: results stand last, in the order of the calls."""
        self._settle()
        calls = [block.get("id") for block in self._blocks if block.get("type") == "tool_use"]
        later = calls[calls.index(result["tool_use_id"]) + 1 :]
        place = len(self._blocks)
        while self._blocks[place - 1].get("type") == "tool_result" and self._blocks[place - 1]["tool_use_id"] in later:
            place -= 1
        self._blocks.insert(place, dict(result))

    def told_apart(self, event: ReplyEvent) -> ReplyEvent:
        """A call is found by its id, so no two of a reply have the same: some servers count anew in every round."""
        if not isinstance(event, BlockOpened) or event.block.get("type") != "tool_use":
            return event
        taken = {block.get("id") for block in self._blocks if block.get("type") == "tool_use"}
        given = event.block.get("id", "")
        names = chain([given], (f"{given}_{number}" for number in count(2)))
        return BlockOpened({**event.block, "id": next(name for name in names if name not in taken)})

    def apply(self, event: ReplyEvent) -> None:
        match event:
            case BlockGrew(text):
                self._pieces.append(text)
            case BlockOpened(block):
                self._settle()
                self._blocks.append({**block, "raw_input": ""} if block.get("type") == "tool_use" else dict(block))
            case InputGrew(text) if self._blocks and self._blocks[-1].get("type") == "tool_use":
                self._pieces.append(text)
            case BlockClosed(fields):
                self._settle()
                if self._blocks:
                    self._blocks[-1].pop("raw_input", None)
                    self._blocks[-1].update(fields)
            case UsageReported(usage):
                self.usage = self.usage.updated(usage)
            case ReplyEnded(stop_reason=stop_reason, explanation=explanation):
                self.stop_reason, self.explanation = stop_reason, explanation
            case ReplyStarted(model=model):
                self.model = model

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """A copy of the list; the blocks in it are the draft's own and only the last may still change."""
        self._settle()
        return [dict(block) for block in self._blocks]

    @property
    def has_content(self) -> bool:
        self._settle()
        return any(block.get(GROWING_FIELDS.get(block.get("type", ""), "type")) for block in self._blocks)

    def _settle(self) -> None:
        if not self._pieces:
            return
        if not self._blocks:
            self._blocks.append({"type": "text", "text": ""})
        block = self._blocks[-1]
        kind = block.get("type", "")
        field = "raw_input" if kind == "tool_use" else GROWING_FIELDS.get(kind, "text")
        block[field] = block.get(field, "") + "".join(self._pieces)
        self._pieces.clear()
