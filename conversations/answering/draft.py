"""A growing reply: events and tool results in, content blocks out."""

from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any

from upstreams.events import BlockOpened, ReplyEvent, Usage
from upstreams.reply import CUT_REASONS, FoldedReply


class Draft(FoldedReply):
    """A reply that can take several upstream calls, with tool results between them."""

    def __init__(self, blocks: Iterable[Mapping[str, Any]] = (), earlier_usage: Usage | None = None) -> None:
        super().__init__(blocks)
        self._earlier_usage = earlier_usage or Usage()

    @property
    def total_usage(self) -> Usage:
        """The usage of all upstream calls for this reply."""
        return self._earlier_usage + self.usage

    @property
    def is_cut_in_call(self) -> bool:
        """Whether the upstream ended the reply for its length, in the middle of a tool call."""
        return self.stop_reason in CUT_REASONS and "raw_input" in (self._blocks[-1] if self._blocks else {})

    def begin_call(self) -> None:
        """Prepares for the events of another upstream call, which continues after the tool results."""
        self._earlier_usage, self.usage, self.end = self.total_usage, Usage(), None

    def drop_unfinished_call(self) -> None:
        """Removes the tool call whose input was still being written, if there is one."""
        self._join_pieces()
        if self._blocks and "raw_input" in self._blocks[-1]:
            self._blocks.pop()

    def add_result(self, result: Mapping[str, Any]) -> None:
        """Adds a tool result, which no event brings. Results come last, in the order of their calls."""
        self._join_pieces()
        calls = [block.get("id") for block in self._blocks if block.get("type") == "tool_use"]
        later = calls[calls.index(result["tool_use_id"]) + 1 :]
        index = len(self._blocks)
        while self._blocks[index - 1].get("type") == "tool_result" and self._blocks[index - 1]["tool_use_id"] in later:
            index -= 1
        self._blocks.insert(index, dict(result))

    def with_unique_id(self, event: ReplyEvent) -> ReplyEvent:
        """Returns the event, with a new id if it opens a tool call whose id the reply has already.

        Calls are found by their id, and some servers start counting again in every round.
        """
        if not isinstance(event, BlockOpened) or event.block.get("type") != "tool_use":
            return event
        taken = {block.get("id") for block in self._blocks if block.get("type") == "tool_use"}
        given = event.block.get("id", "")
        ids = chain([given], (f"{given}_{number}" for number in count(2)))
        return BlockOpened({**event.block, "id": next(each for each in ids if each not in taken)})
