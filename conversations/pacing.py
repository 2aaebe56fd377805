"""A fast stream as a few batches: the first at once, then one each ~50 ms."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

INTERVAL = 0.05
"""Seconds between two batches while the loop keeps up."""
LONGEST_INTERVAL = 0.25


async def paced[T](batches: AsyncGenerator[T], interval: float = INTERVAL) -> AsyncGenerator[T]:
    """Yields the same batches, and takes the next one only after an interval: it then holds all that came meanwhile.

    When the loop wakes us late, the interval stretches up to LONGEST_INTERVAL:
    load lowers the frame rate, never the correctness. Closing this generator
    closes `batches`, even while it waits for the network.
    """
    clock = asyncio.get_running_loop().time
    pause = interval
    async with aclosing(batches):
        async for batch in batches:
            yield batch
            due = clock() + pause
            await asyncio.sleep(pause)
            pause = min(max(interval, 4 * (clock() - due)), LONGEST_INTERVAL)
