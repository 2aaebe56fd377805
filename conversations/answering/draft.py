"""A reply as it grows: events and the results of tools in, content blocks out."""

from collections.abc import Iterable, Mapping
from itertools import chain, count
from typing import Any

from upstreams.events import BlockOpened, ReplyEvent, Usage
from upstreams.reply import FoldedReply


class Draft(FoldedReply):
    """A reply that may take several calls of the upstream, with the results of tools between them."""

    def __init__(self, blocks: Iterable[Mapping[str, Any]] = (), spent: Usage | None = None) -> None:
        super().__init__(blocks)
        self._earlier = spent or Usage()

    @property
    def spent(self) -> Usage:
        """The usage of all calls of the upstream that the reply has taken."""
        return self._earlier + self.usage

    def begin_call(self) -> None:
        """The upstream is called once more, for what follows the results of tools."""
        self._earlier, self.usage, self.end = self.spent, Usage(), None

    def answer(self, result: Mapping[str, Any]) -> None:
        """The result of a tool, which no event brings: results stand last, in the order of the calls."""
        self._join_pieces()
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
