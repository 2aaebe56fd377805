"""One attempt to get a reply, as the events that it is made of."""

from collections.abc import Mapping
from typing import Any

from upstreams.client.exchange import Exchange
from upstreams.client.transport import Limits
from upstreams.endpoint import Endpoint
from upstreams.errors import ReplyTooLarge, UpstreamError
from upstreams.events import CONTENT, ReplyEvent
from upstreams.protocols import PROTOCOLS
from upstreams.sse import EventTooLarge, SSEDecoder


class Call:
    """`open`, then `read` until it returns None, then `close`; all of it in one task."""

    def __init__(self, endpoint: Endpoint, payload: Mapping[str, Any], limits: Limits) -> None:
        self._endpoint, self._payload, self._limits = endpoint, payload, limits
        self._protocol = PROTOCOLS[endpoint.protocol]
        self._exchange = Exchange(endpoint, limits, is_streamed=payload.get("stream") is True)
        self._decoder = self._protocol.Decoder(endpoint)
        self._sse = SSEDecoder(limits.event_size)
        self._failure: UpstreamError | None = None
        self._is_over = False
        self._size_seen = 0
        self.has_content = False
        """Whether some of the reply itself was read: from then on the attempt stands, and no other is made."""

    async def open(self) -> None:
        """Sends the request; returns when the upstream has accepted it."""
        is_streamed = self._payload.get("stream") is True
        await self._exchange.ask(
            self._protocol.PATH, self._protocol.headers(self._endpoint, is_streamed), self._payload
        )

    async def read(self) -> list[ReplyEvent] | None:
        """The events of what has arrived, perhaps none yet; None when the reply is complete."""
        if self._failure:
            raise self._failure
        if self._is_over:
            return None
        events: list[ReplyEvent] = []
        try:
            await self._read(events)
        except UpstreamError as failure:
            # What came before the failure is delivered first; the next read raises it.
            self._failure = failure
        if not self.has_content:
            self.has_content = any(isinstance(event, CONTENT) for event in events)
        return events

    async def close(self) -> None:
        await self._exchange.close(is_complete=self._decoder.done and not self._failure)

    async def _read(self, events: list[ReplyEvent]) -> None:
        decoder = self._decoder
        if not self._exchange.is_stream:
            self._is_over = True
            for event in self._protocol.read_whole(await self._exchange.whole(), self._endpoint):
                events.append(event)
            return
        has_grown, self._size_seen = decoder.size != self._size_seen, decoder.size
        if chunk := await self._exchange.chunk(has_grown=has_grown):
            self._decode(chunk, events)
        else:
            self._is_over = True
            events += decoder.end()

    def _decode(self, chunk: bytes, events: list[ReplyEvent]) -> None:
        decoder = self._decoder
        try:
            for sse in self._sse.feed(chunk):
                events += decoder.feed(sse)
                if decoder.done:
                    self._is_over = True
                    return
        except EventTooLarge:
            raise ReplyTooLarge.at(self._endpoint.name, detail="event too large") from None
        if decoder.size > self._limits.text_size:
            raise ReplyTooLarge.at(self._endpoint.name)
