"""One attempt to get a reply from an upstream that speaks the client's protocol: passed on, and read in passing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from gateway.dialects import DIALECTS
from gateway.passing import verbatim
from gateway.passing.delta_template import Shape
from upstreams.client.exchange import Exchange
from upstreams.client.transport import Limits
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import EmptyReply, ReplyTooLarge, UpstreamError
from upstreams.events import CONTENT, BlockGrew, ReplyEnded, ReplyEvent
from upstreams.protocols import PROTOCOLS
from upstreams.sse import EventTooLarge, SSEDecoder

# Nothing to say is an answer too, when it ends as it should.
_SILENT: Final = ReplyEnded(stop_reason=None)


@dataclass(slots=True)
class Passed:
    """What goes to the client, and what it says."""

    wire: bytes
    events: Sequence[ReplyEvent]

    @property
    def has_content(self) -> bool:
        return any(isinstance(event, CONTENT) for event in self.events)

    def __len__(self) -> int:
        return len(self.wire) + len(self.events)

    def __add__(self, later: "Passed") -> "Passed":
        return Passed(self.wire + later.wire, [*self.events, *later.events])


class Passage:
    """`open`, then `read` until it returns None, then `close`; all of it in one task."""

    def __init__(
        self,
        endpoint: Endpoint,
        payload: Mapping[str, Any],
        limits: Limits,
        *,
        model: str,
        wants_usage: bool,
        beta: str = "",
    ) -> None:
        # What looks like thinking in the text is only watched here, and told as it is.
        self._endpoint, self._payload, self._limits = replace(endpoint, splits_think_tags=False), payload, limits
        self._model, self._wants_usage = model, wants_usage
        self._protocol, self._dialect = PROTOCOLS[endpoint.protocol], DIALECTS[endpoint.protocol]
        self._is_streamed = payload.get("stream") is True
        self._headers = _headers(endpoint, beta, is_streamed=self._is_streamed)
        self._exchange = Exchange(endpoint, limits, is_streamed=self._is_streamed)
        self._decoder = self._protocol.Decoder(self._endpoint)
        self._relay = verbatim.relay(endpoint.protocol, model, wants_usage=wants_usage)
        self._sse = SSEDecoder(limits.event_size)
        self._shape: Shape | None = None
        self._failure: UpstreamError | None = None
        self._is_over = False
        self._size_seen = self._unread = 0
        self.has_content = False

    async def open(self) -> None:
        await self._exchange.ask(self._protocol.PATH, self._headers, self._payload)

    async def read(self) -> Passed | None:
        """What has arrived, perhaps nothing yet; None when the reply is complete."""
        if self._failure:
            raise self._failure
        if self._is_over:
            return None
        written: list[bytes] = []
        events: list[ReplyEvent] = []
        if not (self._exchange.is_stream and self._is_streamed):
            passed = await self._whole()
            self._is_over = self.has_content = True
            return passed
        try:
            await self._read(written, events)
        except UpstreamError as failure:
            # What came before the failure is delivered first; the next read raises it.
            self._failure = failure
        passed = Passed(b"".join(written), events)
        self.has_content = self.has_content or passed.has_content
        return passed

    async def close(self) -> None:
        await self._exchange.close(is_complete=self._decoder.done and not self._failure)

    @property
    def _size(self) -> int:
        """Characters of content so far, with those that were passed on without being decoded."""
        return self._decoder.size + self._unread

    async def _read(self, written: list[bytes], events: list[ReplyEvent]) -> None:
        decoder = self._decoder
        size = self._size
        has_grown, self._size_seen = size != self._size_seen, size
        if chunk := await self._exchange.chunk(has_grown=has_grown):
            self._pass(chunk, written, events)
            return
        self._is_over = True
        try:
            events += decoder.end()
        except EmptyReply:
            events.append(_SILENT)
        written.append(self._relay.ending().encode())

    def _pass(self, chunk: bytes, written: list[bytes], events: list[ReplyEvent]) -> None:
        # Decoding what is text alone would be most of the work.
        if self._shape and self._sse.is_between_events and (passed := self._shape.passed(chunk)):
            wire, text = passed
            self._unread += len(text)
            written.append(wire)
            events.append(BlockGrew(text))
        else:
            self._decode(chunk, written, events)
            match events:
                case [BlockGrew(text)] if len(written) == 1:
                    self._shape = Shape.of(chunk, written[0], text)
        if self._size > self._limits.text_size:
            raise ReplyTooLarge.at(self._endpoint.name)

    def _decode(self, chunk: bytes, written: list[bytes], events: list[ReplyEvent]) -> None:
        decoder, relay = self._decoder, self._relay
        try:
            for sse in self._sse.feed(chunk):
                # A failure that the upstream reports is not passed on in its words, so it is looked for first.
                try:
                    events += decoder.feed(sse)
                except EmptyReply:
                    events.append(_SILENT)
                written.append(relay.wire(sse).encode())
                if decoder.done:
                    self._is_over = True
                    return
        except EventTooLarge:
            raise ReplyTooLarge.at(self._endpoint.name, detail="event too large") from None

    async def _whole(self) -> Passed:
        """An answer in one piece, or one that is asked for so."""
        if self._exchange.is_stream:
            events: list[ReplyEvent] = []
            while not self._is_over:
                await self._read([], events)
            return Passed(orjson.dumps(self._dialect.whole(events, self._model)), events)
        body = await self._exchange.whole()
        events = []
        try:
            for event in self._protocol.read_whole(body, self._endpoint):
                events.append(event)
        except EmptyReply:
            events.append(_SILENT)
        if self._is_streamed:
            return Passed(self._dialect.Encoder(self._model, self._wants_usage).feed(events), events)
        return Passed(verbatim.whole(self._endpoint.protocol, body, self._model), events)


def _headers(endpoint: Endpoint, beta: str, *, is_streamed: bool) -> dict[str, str]:
    """The endpoint's own, and the features under trial that the client wants."""
    headers = PROTOCOLS[endpoint.protocol].headers(endpoint, is_streamed)
    if beta and endpoint.protocol is ProtocolName.ANTHROPIC:
        headers["anthropic-beta"] = ",".join(filter(None, (endpoint.beta, beta)))
    return headers
