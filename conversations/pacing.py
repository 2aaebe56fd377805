"""A fast stream as a few batches: the first at once, then one each ~50 ms."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

INTERVAL = 0.05
"""Seconds between two batches while the loop keeps up."""
LONGEST_INTERVAL = 0.25


async def paced[T](events: AsyncIterator[T], interval: float = INTERVAL) -> AsyncGenerator[list[T]]:
    """Yields everything that arrived since the last batch, in order; raises what `events` raises, after the rest.

    When the loop wakes us late, the interval stretches up to LONGEST_INTERVAL:
    load lowers the frame rate, never the correctness. Closing this generator
    closes `events`, even while it waits for the network.
    """
    loop = asyncio.get_running_loop()
    pause = interval
    arrived: list[T] = []
    news = asyncio.Event()

    async def read() -> None:
        try:
            async for event in events:
                arrived.append(event)
                news.set()
        finally:
            news.set()

    reader = loop.create_task(read())
    try:
        while not (reader.done() and not arrived):
            await news.wait()
            news.clear()
            batch, arrived[:] = arrived[:], []
            if batch:
                yield batch
            if not reader.done():
                due = loop.time() + pause
                await asyncio.wait([reader], timeout=pause)
                pause = min(max(interval, 4 * (loop.time() - due)), LONGEST_INTERVAL)
        await reader
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
