"""The wire protocols: pure translation between our types and those of a server, without I/O."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from upstreams.chat import ChatRequest
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.events import ReplyEvent
from upstreams.protocols import anthropic, openai
from upstreams.protocols.listings import ModelPage
from upstreams.wire.sse import ServerSentEvent


class ReplyDecoder(Protocol):
    """Reads one streamed reply. It raises an UpstreamError when the upstream reports a failure."""

    @property
    def done(self) -> bool:
        """True after the protocol's own end. Nothing more needs to be read."""
        ...

    @property
    def size(self) -> int:
        """Characters of content so far. It grows with every piece, even before the piece becomes an event."""
        ...

    @property
    def image_size(self) -> int:
        """Characters of images so far, which are not part of `size`."""
        ...

    def passes(self, text: str, /) -> bool:
        """Whether a piece of the open block's text is content as it is. Takes note of it if so."""
        ...

    def feed(self, sse: ServerSentEvent, /) -> Sequence[ReplyEvent]: ...

    def end(self) -> Sequence[ReplyEvent]:
        """Returns the last events when the bytes end. Raises BrokenStream without a proper end."""
        ...


class WireProtocol(Protocol):
    """The interface of a protocol's module."""

    @property
    def PATH(self) -> str: ...

    @property
    def MODELS_PATH(self) -> str: ...

    def headers(self, endpoint: Endpoint, stream: bool) -> dict[str, str]: ...

    def payload(self, request: ChatRequest, endpoint: Endpoint) -> dict[str, Any]: ...

    def notes(self, request: ChatRequest, endpoint: Endpoint) -> list[str]: ...

    def output_limit(self, request: ChatRequest) -> int | None:
        """The limit of output tokens in the payload, including thinking; None without one."""
        ...

    def read_whole(self, body: bytes, endpoint: Endpoint) -> Iterator[ReplyEvent]: ...

    def read_models(self, body: bytes, endpoint: Endpoint) -> ModelPage: ...

    def Decoder(self, endpoint: Endpoint, /) -> ReplyDecoder: ...


PROTOCOLS: Final[Mapping[ProtocolName, WireProtocol]] = {
    ProtocolName.ANTHROPIC: anthropic,
    ProtocolName.OPENAI: openai,
}
