"""One attempt to get a reply: from the request's first byte to the connection's close."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import httpx
import orjson

from upstreams.chat import ChatRequest
from upstreams.endpoint import Endpoint
from upstreams.errors import BrokenStream, ReplyTooLarge, Stalled, UpstreamError
from upstreams.events import ReplyEvent
from upstreams.patience import Patience
from upstreams.protocols import PROTOCOLS
from upstreams.protocols.refusals import refusal
from upstreams.sse import EventTooLarge, SSEDecoder
from upstreams.transport import Limits, read_at_most, send

_refuses_stream_options: Final[set[str]] = set()
"""Base URLs of servers that do not know `stream_options`; each process finds out for itself."""


class Call:
    """`open`, then `read` until it returns None, then `close`; all of it in one task."""

    def __init__(self, endpoint: Endpoint, request: ChatRequest, limits: Limits) -> None:
        self._endpoint, self._request, self._limits = endpoint, request, limits
        self._protocol = PROTOCOLS[endpoint.protocol]
        self._decoder = self._protocol.Decoder(endpoint)
        self._sse = SSEDecoder(limits.event_size)
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._failure: UpstreamError | None = None
        self._is_over = False
        self._now = asyncio.get_running_loop().time
        began = self._quiet_since = self._now()
        self._end = began + limits.whole
        # A reply in one piece begins when all of it is written, so only a stream can be late with its first byte.
        self._first_byte_end = min(self._end, began + endpoint.first_byte_timeout) if request.stream else self._end
        self._patience = Patience()
        self._has_bytes = False
        self._size_seen = 0

    async def open(self) -> None:
        """Sends the request; returns when the upstream has accepted it."""
        payload = self._protocol.payload(self._request, self._endpoint)
        if self._endpoint.base_url in _refuses_stream_options:
            payload.pop("stream_options", None)
        response = await self._send(payload)
        if response.is_success:
            return
        body, _ = await self._read_body(self._limits.error_size)
        is_about_options = b"stream_options" in body or b"include_usage" in body
        if response.status_code in (400, 422) and "stream_options" in payload and is_about_options:
            _refuses_stream_options.add(self._endpoint.base_url)
            await self.close()
            await self.open()
            return
        raise refusal(self._endpoint, response.status_code, response.headers, body)

    async def read(self) -> list[ReplyEvent] | None:
        """The events of what has arrived, perhaps none yet; None when the reply is complete."""
        if self._failure:
            raise self._failure
        if self._is_over:
            return None
        events: list[ReplyEvent] = []
        try:
            if self._chunks is None:
                await self._read_whole(events)
            elif chunk := await self._next_chunk(self._chunks):
                self._decode(chunk, events)
            else:
                self._is_over = True
                events += self._decoder.end()
        except UpstreamError as failure:
            # What came before the failure is delivered first; the next read raises it.
            self._failure = failure
        return events

    async def close(self) -> None:
        """Closes the connection, or leaves it for the next call when the reply was read to its end."""
        response, self._response = self._response, None
        chunks, self._chunks = self._chunks, None
        self._patience.close()
        if response is None:
            return
        try:
            if chunks is not None and self._decoder.done and not self._failure:
                await self._read_to_end(chunks)
        finally:
            # The transport lets go of the socket before it first waits, so a second cancellation cannot keep it open.
            with suppress(httpx.HTTPError):
                await response.aclose()

    async def _send(self, payload: dict[str, Any]) -> httpx.Response:
        response = self._response = await send(
            self._endpoint,
            "POST",
            self._protocol.PATH,
            self._protocol.headers(self._endpoint, self._request.stream),
            body=orjson.dumps(payload),
            until=self._first_byte_end,
        )
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.is_success and kind == "text/event-stream":
            # The stream itself has fewer layers; the full way is for servers that compress although asked not to.
            stream, packing = response.stream, response.headers.get("content-encoding", "identity")
            if packing == "identity" and isinstance(stream, httpx.AsyncByteStream):
                self._chunks = aiter(stream)
            else:
                self._chunks = response.aiter_bytes()
        return response

    async def _next_chunk(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """The bytes that came next; None at the end of the stream, whether it is a clean one or not."""
        now = self._now()
        if self._decoder.size != self._size_seen:
            self._size_seen, self._quiet_since = self._decoder.size, now
        silence_end = now + self._limits.idle if self._has_bytes else self._first_byte_end
        try:
            until = min(silence_end, self._quiet_since + self._limits.stall, self._end)
            chunk = await self._patience.wait(until, anext(chunks, None))
        except TimeoutError:
            raise Stalled.at(self._endpoint.name) from None
        except httpx.HTTPError:
            # Whether a connection that is cut means a broken reply depends on what came before: the decoder decides.
            return None
        self._has_bytes = True
        return chunk

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

    async def _read_whole(self, events: list[ReplyEvent]) -> None:
        self._is_over = True
        body, is_complete = await self._read_body(self._limits.body_size)
        if not is_complete:
            kind = BrokenStream if len(body) < self._limits.body_size else ReplyTooLarge
            raise kind.at(self._endpoint.name)
        for event in self._protocol.read_whole(body, self._endpoint):
            events.append(event)

    async def _read_body(self, size: int) -> tuple[bytes, bool]:
        assert self._response is not None
        try:
            async with asyncio.timeout_at(min(self._end, self._now() + self._limits.stall)):
                return await read_at_most(self._response, size)
        except TimeoutError:
            raise Stalled.at(self._endpoint.name) from None

    async def _read_to_end(self, chunks: AsyncIterator[bytes]) -> None:
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(self._limits.farewell):
                async for _ in chunks:
                    pass
