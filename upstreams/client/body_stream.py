"""The body of an upstream's answer, read in chunks as large as the reader's pace allows."""

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import aiohttp
from aiohttp.connector import Connection
from httpx_aiohttp.transport import AiohttpResponseStream, map_aiohttp_exceptions

_READ_SIZE: Final = 64 * 1024
"""Bytes."""
_EMPTYING: Final = 512
"""A shorter read has emptied the socket. A longer one may not: Linux returns at most 18 small segments at a time, and a
reader that sleeps would fall behind."""
_MOST_READS: Final = 16
"""The most reads of one socket before other sockets are read."""


class BodyStream(AiohttpResponseStream):
    """Yields chunks. Each of them is everything that has arrived since the previous one.

    aiohttp drops unread bytes when the connection breaks. This stream yields them before the error.
    """

    is_gathering = False
    """Whether to keep the connection paused between two reads, for a reader that sleeps between them.

    The operating system then gathers what arrives, and the reader takes it at once. The event loop does not wake up
    for each piece.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        response, content = self._aiohttp_response, self._aiohttp_response.content
        if self.is_gathering:
            # aiohttp would resume the connection at every read.
            content._low_water = 0
        with map_aiohttp_exceptions():
            try:
                while chunk := await content.readany():
                    # At the end of the body there is no connection, because another request may use it.
                    connection = response.connection if self.is_gathering else None
                    if connection and connection.transport:
                        connection.transport.pause_reading()
                        yield chunk
                        _read_on(connection, content)
                    else:
                        yield chunk
            except (aiohttp.ClientError, OSError):
                if rest := content._read_nowait(-1):
                    yield rest
                raise


def _read_on(connection: Connection, content: aiohttp.StreamReader) -> None:
    """Reads what the socket of a paused connection holds. If it holds nothing, the event loop waits for more.

    Registering a socket with the loop and removing it again costs more than reading it.
    """
    protocol, transport, received = connection.protocol, connection.transport, content.total_bytes
    if protocol is None or transport is None:
        return
    if transport.get_extra_info("ssl_object") is None:
        descriptor = transport.get_extra_info("socket").fileno()
        # An error means that nothing is left or that the connection is broken, which the transport will also notice.
        with suppress(OSError):
            for _ in range(_MOST_READS):
                if data := os.read(descriptor, _READ_SIZE):
                    protocol.data_received(data)
                if len(data) < _EMPTYING:
                    break
    if content.total_bytes == received and not content.is_eof():
        protocol.resume_reading()
