"""Turns a fast stream into few batches: the first at once, then one about every 50 ms."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from weakref import WeakKeyDictionary

INTERVAL = 0.05
"""Seconds between two batches while the event loop keeps up."""
LONGEST_INTERVAL = 0.25
TICK: Final = 0.01
"""Seconds. Intervals end at multiples of this, so that one turn of the loop serves many streams."""


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
            due = await _ticks_of_loop().wait_until(clock() + pause)
            # Smoothed, so that one hiccup of the loop does not slow down every stream.
            lateness += 0.2 * (clock() - due - lateness)


class Ticks:
    """Wakes all streams that wait for the same tick with one timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    async def wait_until(self, due: float) -> float:
        """Waits until the tick nearest to `due`, in the loop's time, and returns its time."""
        tick = round(due / TICK)
        woken = self._loop.create_future()
        if tick in self._waiting:
            self._waiting[tick].append(woken)
        else:
            self._waiting[tick] = [woken]
            self._loop.call_at(tick * TICK, self._wake, tick)
        await woken
        return tick * TICK

    def _wake(self, tick: int) -> None:
        for woken in self._waiting.pop(tick):
            if not woken.done():
                woken.set_result(None)


_ticks: WeakKeyDictionary[asyncio.AbstractEventLoop, Ticks] = WeakKeyDictionary()


def _ticks_of_loop() -> Ticks:
    loop = asyncio.get_running_loop()
    if loop not in _ticks:
        _ticks[loop] = Ticks(loop)
    return _ticks[loop]
