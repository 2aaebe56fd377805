"""Gives the tool calls of a translated reply the names of the client's tools, and ids that occur once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from gateway.ids import make_id, make_tool_id, make_unique, shorten_name
from upstreams.endpoint import ProtocolName
from upstreams.events import BlockClosed, BlockOpened, ReplyEvent


class ReplyCalls:
    """Translates the calls of one reply. Some servers repeat an id, within a reply or in each of them."""

    def __init__(self, body: Mapping[str, Any], protocol: ProtocolName) -> None:
        """`body` is the client's request, in `protocol`."""
        self._is_messages = protocol is ProtocolName.ANTHROPIC
        calls = _find_calls(body["messages"])
        self._taken = {str(call.get("id")) for call in calls}
        names = [str(each.get("name")) for each in (*_find_tools(body), *calls)]
        self._names = {shorten_name(name): name for name in names} if self._is_messages else {}
        self._is_open = False

    def translate(self, events: Sequence[ReplyEvent]) -> Sequence[ReplyEvent]:
        if not any(isinstance(event, BlockOpened | BlockClosed) for event in events):
            return events
        return [self._event(event) for event in events]

    def _event(self, event: ReplyEvent) -> ReplyEvent:
        match event:
            case BlockOpened(block):
                self._is_open = block.get("type") == "tool_use"
                return BlockOpened({**block, **self._identify(block)}) if self._is_open else event
            case BlockClosed(fields) if self._is_open:
                self._is_open = False
                # The id was given when the call began.
                late = {name: value for name, value in fields.items() if name != "id"}
                return BlockClosed({**late, **({"name": self._name(late["name"])} if "name" in late else {})})
        return event

    def _identify(self, block: Mapping[str, Any]) -> dict[str, str]:
        return {"id": self._make_unique(str(block.get("id") or "")), "name": self._name(block.get("name", ""))}

    def _name(self, name: str) -> str:
        return self._names.get(name, name)

    def _make_unique(self, id: str) -> str:
        if not id:
            return make_id("toolu_" if self._is_messages else "call_")
        id = make_tool_id(id) if self._is_messages else id
        unique = make_unique(id, self._taken)
        self._taken.add(unique)
        return unique


def _find_calls(messages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The calls in a conversation of either protocol."""
    return [call for message in messages if message["role"] == "assistant" for call in _calls_in(message)]


def _calls_in(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from message.get("tool_calls") or ()
    content = message.get("content")
    if isinstance(content, list):
        yield from (block for block in content if block.get("type") == "tool_use")


def _find_tools(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    tools: Sequence[Mapping[str, Any]] = body.get("tools") or ()
    return tools
