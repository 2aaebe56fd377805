"""Measures how late the event loop is, which is what every stream, page and socket of the process waits for."""

import asyncio
from typing import Final

from prometheus_client import Histogram

INTERVAL: Final = 0.5
"""Seconds between two measurements."""

DELAY: Final = Histogram(
    "chatsite_loop_delay_seconds",
    "How late the event loop runs what is due.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


async def measure() -> None:
    """Runs as long as the server."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + INTERVAL
        await asyncio.sleep(INTERVAL)
        DELAY.observe(max(0.0, loop.time() - due))
