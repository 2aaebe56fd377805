"""One attempt to get a reply, as events."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from upstreams.client.concessions import RequestOrigin
from upstreams.client.exchange import Exchange
from upstreams.client.transport import Limits
from upstreams.endpoint import Endpoint
from upstreams.errors import EmptyReply, ReplyTooLarge, UpstreamError
from upstreams.events import CONTENT, BlockGrew, ReplyEnded, ReplyEvent, SettingRefused
from upstreams.protocols import PROTOCOLS
from upstreams.wire.delta_template import DeltaTemplate
from upstreams.wire.sse import EventTooLarge, ServerSentEvent, SSEDecoder


class Call:
    """Call `open`, then `read` until it returns None, then `close`, all in one task.

    `copy` turns each event of a stream into the bytes that `take_copy` returns. With `may_be_empty`, a proper end
    without content is a reply instead of an EmptyReply.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        payload: Mapping[str, Any],
        limits: Limits,
        *,
        copy: Callable[[ServerSentEvent], bytes] | None = None,
        may_be_empty: bool = False,
        is_gathering: bool = False,
        origin: RequestOrigin = RequestOrigin.PROGRAM,
    ) -> None:
        self._endpoint, self._payload, self._limits = endpoint, payload, limits
        self._copy, self._may_be_empty = copy, may_be_empty
        self._protocol = PROTOCOLS[endpoint.protocol]
        self._exchange = Exchange(
            endpoint,
            limits,
            is_streamed=payload.get("stream") is True,
            is_gathering=is_gathering,
            origin=origin,
        )
        self._decoder = self._protocol.Decoder(endpoint)
        self._sse = SSEDecoder(limits.event_size)
        self._template: DeltaTemplate | None = None
        self._copied: list[bytes] = []
        self._refused: list[str] = []
        """Remarks about refused settings that no event has carried yet."""
        self._failure: UpstreamError | None = None
        self._is_over = False
        self._size_seen = self._size_undecoded = 0
        self._head: bytes | None = b""
        """The first bytes, until they show whether the answer is a stream of events."""
        self.body = b""
        """The reply as it arrived, if it arrived in one piece."""
        self.has_content = False
        """Whether any content of the reply was read. After that, the call is not repeated."""

    @property
    def is_complete(self) -> bool:
        """Whether the reply was read to its proper end."""
        return self._is_over and not self._failure

    async def open(self) -> None:
        """Sends the request; returns when the upstream has accepted it."""
        is_streamed = self._payload.get("stream") is True
        self._refused = await self._exchange.ask(
            self._protocol.PATH, self._protocol.headers(self._endpoint, is_streamed), self._payload
        )

    async def read(self) -> list[ReplyEvent] | None:
        """The events that have arrived, perhaps none yet; None when the reply is complete."""
        if self._failure:
            raise self._failure
        if self._is_over:
            return None
        events: list[ReplyEvent] = []
        try:
            await self._read(events)
        except UpstreamError as failure:
            if isinstance(failure, EmptyReply) and self._may_be_empty:
                self._is_over = True
                events.append(ReplyEnded(stop_reason=None))
            else:
                # The events before the failure are delivered first; the next read raises it.
                self._failure = failure
        if not self.has_content:
            self.has_content = any(isinstance(event, CONTENT) for event in events)
        if events and self._refused:
            events = [*map(SettingRefused, self._refused), *events]
            self._refused = []
        return events

    def take_copy(self) -> bytes:
        """The copies of the events that the last `read` returned."""
        copied, self._copied = self._copied, []
        return copied[0] if len(copied) == 1 else b"".join(copied)

    async def close(self) -> None:
        await self._exchange.close(is_complete=self._decoder.done and not self._failure)

    @property
    def _size(self) -> int:
        """Characters of content so far, decoded or not."""
        return self._decoder.size + self._size_undecoded

    async def _read(self, events: list[ReplyEvent]) -> None:
        if not self._exchange.is_stream:
            await self._read_whole(events)
            return
        size = self._size
        has_grown, self._size_seen = size != self._size_seen, size
        chunk = await self._exchange.read_chunk(has_grown=has_grown)
        if self._head is not None:
            head, self._head = self._head + (chunk or b""), None
            is_stream = self._exchange.is_stream_of_events(head)
            if is_stream is None and chunk:
                self._head = head
                return
            if not is_stream:
                await self._read_whole(events, head)
                return
            chunk = head
        if chunk:
            self._take(chunk, events)
            if self._size > self._limits.text_size or self._decoder.image_size > self._limits.image_size:
                raise ReplyTooLarge.at(self._endpoint.name)
        else:
            self._is_over = True
            events += self._decoder.end()

    async def _read_whole(self, events: list[ReplyEvent], head: bytes = b"") -> None:
        self._is_over = True
        self.body = await self._exchange.read_whole(head)
        for event in self._protocol.read_whole(self.body, self._endpoint):
            events.append(event)

    def _take(self, chunk: bytes, events: list[ReplyEvent]) -> None:
        is_whole = self._sse.is_between_events
        # Decoding events that only have text would be most of the work.
        if is_whole and self._template and (read := self._template.read(chunk)) and self._decoder.passes(read[0]):
            text, copy = read
            self._size_undecoded += len(text)
            events.append(BlockGrew(text))
            if self._copy:
                self._copied.append(copy)
            return
        last = self._decode(chunk, events)
        if not all(type(event) is BlockGrew for event in events):
            self._template = None
        elif is_whole:
            match last:
                case [BlockGrew(text)]:
                    self._template = DeltaTemplate.of(chunk, text, self._copied[-1] if self._copied else None)

    def _decode(self, chunk: bytes, events: list[ReplyEvent]) -> Sequence[ReplyEvent]:
        """Decodes a chunk; returns the events of its last server-sent event."""
        decoder, copy = self._decoder, self._copy
        last: Sequence[ReplyEvent] = ()
        try:
            for sse in self._sse.feed(chunk):
                # Raises a failure that the upstream reports, before the event is copied.
                last = decoder.feed(sse)
                events += last
                if copy:
                    self._copied.append(copy(sse))
                if decoder.done:
                    self._is_over = True
                    break
        except EventTooLarge:
            raise ReplyTooLarge.at(self._endpoint.name, detail="event too large") from None
        return last
