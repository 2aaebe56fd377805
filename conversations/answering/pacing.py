"""A fast stream as a few batches: the first at once, then one each ~50 ms."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

INTERVAL = 0.05
"""Seconds between two batches while the loop keeps up."""
LONGEST_INTERVAL = 0.25


async def paced[T](batches: AsyncGenerator[T], interval: float = INTERVAL) -> AsyncGenerator[T]:
    """Yields the same batches, and takes the next one only after an interval: it then holds all that came meanwhile.

    When the loop keeps waking us late, the interval stretches up to LONGEST_INTERVAL:
    load lowers the frame rate, never the correctness. Closing this generator
    closes `batches`, even while it waits for the network.
    """
    clock = asyncio.get_running_loop().time
    lateness = 0.0
    async with aclosing(batches):
        async for batch in batches:
            yield batch
            pause = min(max(interval, 4 * lateness), LONGEST_INTERVAL)
            due = clock() + pause
            await asyncio.sleep(pause)
            # Smoothed: one hiccup of the loop must not slow down every stream.
            lateness += 0.2 * (clock() - due - lateness)
