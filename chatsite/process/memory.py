"""Returns memory to the operating system after busy times."""

import asyncio
import ctypes
import gc
import time
from typing import Final

INTERVAL: Final = 10.0
"""Seconds between two checks of the load."""
BUSY: Final = 0.1
"""Share of a core above which the process is too busy to stop for a collection, which takes about 100 ms."""
WORTH_IT: Final = 1.0
"""Seconds of processor time since the last collection. After less work there is little to free."""


async def trim_when_idle(interval: float = INTERVAL) -> None:
    """Runs as long as the server. Collects garbage when the process has worked and is idle again."""
    trimmed = looked = time.process_time()
    while True:
        await asyncio.sleep(interval)
        used, looked = time.process_time() - looked, time.process_time()
        if used < BUSY * interval and looked - trimmed > WORTH_IT:
            trim()
            trimmed = looked = time.process_time()


def trim() -> None:
    """Frees unreachable objects, and then the memory pages that the C library holds in reserve."""
    gc.collect()
    if malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        malloc_trim(0)
