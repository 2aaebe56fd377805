"""Sends last messages to servers in the background, so that the end of a call does not wait for them."""

import asyncio
from collections.abc import Coroutine

_running: set[asyncio.Task[None]] = set()


def start(farewell: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(farewell)
    _running.add(task)
    task.add_done_callback(_running.discard)


async def wait() -> None:
    """Waits until this event loop has sent all its farewells."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*[task for task in _running if task.get_loop() is loop])
