"""The wire protocols: pure translation between our words and a server's, with no I/O."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from upstreams.chat import ChatRequest
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.events import ReplyEvent
from upstreams.protocols import anthropic, openai
from upstreams.protocols.listings import ModelPage
from upstreams.sse import ServerSentEvent


class ReplyDecoder(Protocol):
    """Reads one streamed reply. It raises an UpstreamError when the upstream reports a failure."""

    done: bool
    """The protocol's own end was seen: nothing more needs to be read."""

    @property
    def size(self) -> int:
        """Characters of content so far; it grows with every piece, also with those that make no event yet."""
        ...

    @property
    def passes_text(self) -> bool:
        """Whether all further text of the open block is content as it is, with no tags to look for."""
        ...

    def feed(self, sse: ServerSentEvent, /) -> Sequence[ReplyEvent]: ...

    def end(self) -> Sequence[ReplyEvent]:
        """The bytes are over: what was still held back, or BrokenStream when no proper end was seen."""
        ...


class WireProtocol(Protocol):
    """What a protocol's module offers."""

    @property
    def PATH(self) -> str: ...

    @property
    def MODELS_PATH(self) -> str: ...

    def headers(self, endpoint: Endpoint, stream: bool) -> dict[str, str]: ...

    def payload(self, request: ChatRequest, endpoint: Endpoint) -> dict[str, Any]: ...

    def notes(self, request: ChatRequest, endpoint: Endpoint) -> list[str]: ...

    def output_limit(self, request: ChatRequest) -> int | None:
        """Tokens that the upstream is told it may write at most, thinking included; None: it is told nothing."""
        ...

    def read_whole(self, body: bytes, endpoint: Endpoint) -> Iterator[ReplyEvent]: ...

    def read_models(self, body: bytes, endpoint: Endpoint) -> ModelPage: ...

    def Decoder(self, endpoint: Endpoint, /) -> ReplyDecoder: ...


PROTOCOLS: Final[Mapping[ProtocolName, WireProtocol]] = {
    ProtocolName.ANTHROPIC: anthropic,
    ProtocolName.OPENAI: openai,
}
