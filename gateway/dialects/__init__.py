"""Both protocols as a server speaks them: checks of requests, and encoders of replies. No I/O."""

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
        """Server-sent events, perhaps none."""
        ...

    def ping(self) -> bytes:
        """An event that keeps a silent connection alive."""
        ...

    def failure(self, problem: Problem, request_id: str) -> bytes: ...


class Dialect(Protocol):
    """What a protocol's module offers."""

    def check(self, body: Mapping[str, Any]) -> None: ...

    def error(self, problem: Problem, request_id: str) -> bytes: ...

    def whole(self, events: Iterable[ReplyEvent], model: str) -> dict[str, Any]: ...

    def Encoder(self, model: str, include_usage: bool = False) -> ReplyEncoder: ...


DIALECTS: Final[Mapping[ProtocolName, Dialect]] = {
    ProtocolName.ANTHROPIC: messages,
    ProtocolName.OPENAI: chat,
}
