"""One request to an upstream and the bytes of its answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import httpx

from upstreams.client.body_stream import BodyStream
from upstreams.client.concessions import Concessions, RequestOrigin
from upstreams.client.deadline import Deadline
from upstreams.client.transport import Limits, read_at_most, send
from upstreams.endpoint import Endpoint
from upstreams.errors import BrokenStream, ReplyTooLarge, Stalled
from upstreams.protocols.refusals import read_refusal
from upstreams.wire.sse import begins_with_events
from upstreams.wire.tolerant_json import dump


class Exchange:
    """Call `ask`, then `read_chunk` until it returns None or `read_whole` once, then `close`, all in one task.

    `origin` decides which fields the request may lose (see Concessions).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        limits: Limits,
        *,
        is_streamed: bool,
        is_gathering: bool = False,
        origin: RequestOrigin = RequestOrigin.PROGRAM,
    ) -> None:
        self._endpoint, self._limits, self._is_gathering = endpoint, limits, is_gathering
        self._origin = origin
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._now = asyncio.get_running_loop().time
        began = self._quiet_since = self._left_at = self._now()
        self._end = began + (endpoint.answer_timeout or limits.whole)
        # A reply in one piece begins only when all of it is written, so only streams have a limit for the first byte.
        self._first_byte_end = min(self._end, began + endpoint.first_byte_timeout) if is_streamed else self._end
        self._deadline = Deadline()
        self._has_bytes = self._is_labelled = self._is_cut = False
        self._is_streamed = is_streamed
        self._silence = endpoint.silence_timeout or limits.idle
        self._wait_for_content = endpoint.content_timeout or limits.stall

    @property
    def is_stream(self) -> bool:
        """Whether the answer may be a stream of events. Its first bytes decide."""
        return self._chunks is not None

    def is_stream_of_events(self, head: bytes) -> bool | None:
        """Whether an answer that begins like this is a stream of events, whatever its label says.

        It may be one piece although a stream was requested. None if that is not certain yet.
        """
        if self._is_labelled:
            return not head.lstrip().startswith(b"{")
        return begins_with_events(head)

    async def ask(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> list[str]:
        """Sends the request. Returns when the upstream has accepted it; raises its refusal otherwise.

        Sends it again without each optional field that the upstream refuses. Returns a sentence for people for each
        refused setting.
        """
        concessions = Concessions(self._endpoint.base_url, body, self._origin)
        while True:
            response = await self._send(path, headers, dump(concessions.body))
            if response.is_success:
                concessions.remember()
                return concessions.remarks
            refusal, _ = await self._read_body(self._limits.error_size)
            if not concessions.concede(response.status_code, refusal):
                raise read_refusal(self._endpoint, response.status_code, response.headers, refusal)
            await self.close()

    async def read_chunk(self, *, has_grown: bool) -> bytes | None:
        """Returns the next bytes; None at the end of the stream, clean or not.

        `has_grown` says whether the previous bytes had content. Pings alone do not keep a reply alive.
        """
        assert self._chunks is not None
        now = self._now()
        # Time that the caller spends between two reads does not count as silence of the upstream.
        self._quiet_since = now if has_grown else self._quiet_since + now - self._left_at
        silence_end = now + self._silence if self._has_bytes else self._first_byte_end
        try:
            until = min(silence_end, self._quiet_since + self._wait_for_content, self._end)
            chunk = await self._deadline.wait(until, anext(self._chunks, None))
        except TimeoutError:
            raise Stalled.at(self._endpoint.name) from None
        except httpx.HTTPError:
            # The caller knows from earlier bytes whether a cut connection means a broken reply.
            self._is_cut = True
            return None
        self._has_bytes = True
        self._left_at = self._now()
        return chunk

    async def read_whole(self, head: bytes = b"") -> bytes:
        """Returns an answer that arrives in one piece. `head` are the bytes that `read_chunk` has returned."""
        size = self._limits.body_size - len(head)
        body, is_complete = (b"", False) if self._is_cut else await self._read_body(size)
        if not is_complete:
            kind = BrokenStream if len(body) < size else ReplyTooLarge
            raise kind.at(self._endpoint.name)
        return head + body

    async def close(self, *, is_complete: bool = False) -> None:
        """Closes the connection, or keeps it for the next request if the reply was read to its end."""
        response, self._response = self._response, None
        chunks, self._chunks = self._chunks, None
        self._deadline.close()
        if response is None:
            return
        try:
            if chunks is not None and is_complete:
                await self._read_to_end(chunks)
        finally:
            # The transport releases the socket before it first waits, so a second cancellation cannot keep it open.
            with suppress(httpx.HTTPError):
                await response.aclose()

    async def _send(self, path: str, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        response = self._response = await send(
            self._endpoint, "POST", path, dict(headers), body=body, until=self._first_byte_end
        )
        self._left_at = self._now()
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._is_labelled = kind == "text/event-stream"
        if response.is_success and (self._is_labelled or self._is_streamed):
            # The stream itself has fewer layers. Servers that compress in spite of the request need them all.
            stream, packing = response.stream, response.headers.get("content-encoding", "identity")
            if packing == "identity" and isinstance(stream, BodyStream):
                stream.is_gathering = self._is_gathering and kind != "application/json"
                self._chunks = aiter(stream)
            else:
                self._chunks = response.aiter_bytes()
        return response

    async def _read_body(self, size: int) -> tuple[bytes, bool]:
        assert self._response is not None
        try:
            async with asyncio.timeout_at(min(self._end, self._now() + self._wait_for_content)):
                return await read_at_most(self._chunks or self._response.aiter_bytes(), size)
        except TimeoutError:
            raise Stalled.at(self._endpoint.name) from None

    async def _read_to_end(self, chunks: AsyncIterator[bytes]) -> None:
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(self._limits.farewell):
                async for _ in chunks:
                    pass
