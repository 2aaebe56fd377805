"""Turns a fast stream into few batches: the first at once, then one about every 50 ms."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

INTERVAL = 0.05
"""Seconds between two batches while the event loop keeps up."""
LONGEST_INTERVAL = 0.25


async def paced[T](batches: AsyncGenerator[T], interval: float = INTERVAL) -> AsyncGenerator[T]:
    """Yields the same batches with an interval between them; a batch holds everything that arrived in the interval.

    When the event loop wakes it late again and again, the interval stretches up to
    LONGEST_INTERVAL: load lowers the frame rate and nothing else. Closing this
    generator closes `batches`, even while it waits for the network.
    """
    clock = asyncio.get_running_loop().time
    lateness = 0.0
    async with aclosing(batches):
        async for batch in batches:
            yield batch
            pause = min(max(interval, 4 * lateness), LONGEST_INTERVAL)
            due = clock() + pause
            await asyncio.sleep(pause)
            # Smoothed, so that one hiccup of the loop does not slow down every stream.
            lateness += 0.2 * (clock() - due - lateness)
