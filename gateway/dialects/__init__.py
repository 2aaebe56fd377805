"""Speaks both protocols as a server: checks requests and encodes replies. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from gateway.dialects import chat, messages
from gateway.problems import Problem
from upstreams.endpoint import ProtocolName
from upstreams.events import ReplyEvent

__all__ = ["DIALECTS", "Dialect", "ReplyEncoder"]


class ReplyEncoder(Protocol):
    """Writes one streamed reply. Nothing may follow its end or a failure."""

    id: str
    """The reply's id, made by the gateway."""

    def feed(self, events: Sequence[ReplyEvent], /) -> bytes:
        """Returns server-sent events, perhaps none."""
        ...

    def encode_ping(self) -> bytes:
        """Returns an event that keeps a silent connection alive."""
        ...

    def encode_failure(self, problem: Problem, request_id: str) -> bytes: ...


class Dialect(Protocol):
    """The interface of a protocol's module."""

    def check_essentials(self, body: Mapping[str, Any]) -> None:
        """Checks the fields that the gateway reads of every request. Raises the Problem of the first wrong one."""
        ...

    def check(self, body: Mapping[str, Any]) -> None:
        """Checks all fields of a request that is translated. Raises the Problem of the first wrong one."""
        ...

    def render_error(self, problem: Problem, request_id: str) -> bytes: ...

    def render_reply(self, events: Iterable[ReplyEvent], model: str) -> dict[str, Any]: ...

    def Encoder(self, model: str, include_usage: bool = False) -> ReplyEncoder: ...


DIALECTS: Final[Mapping[ProtocolName, Dialect]] = {
    ProtocolName.ANTHROPIC: messages,
    ProtocolName.OPENAI: chat,
}
