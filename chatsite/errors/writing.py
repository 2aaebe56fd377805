"""Saves recorded errors every few seconds, however many there are."""

import asyncio
from typing import Final

from chatsite.errors import recorder, storage
from chatsite.errors.recorder import ErrorRecorder
from chatsite.failures.failure_log import FailureLog
from chatsite.failures.faults import is_passing
from chatsite.process.threads import database_sync_to_async

INTERVAL: Final = 2.0
"""Seconds between two transactions."""
PURGE_INTERVAL: Final = 3600.0
"""Seconds between two searches for old groups."""

# It logs warnings only. An error would be recorded, and saving it would fail in the same way.
failures = FailureLog("Saving what was logged as an error")


async def write_regularly() -> None:
    """Runs for as long as the process."""
    loop = asyncio.get_running_loop()
    purge_at = loop.time() + PURGE_INTERVAL
    while True:
        await asyncio.sleep(INTERVAL)
        is_time = loop.time() >= purge_at
        await write(recorder.local, purges=is_time)
        if is_time:
            purge_at = loop.time() + PURGE_INTERVAL


async def write(source: ErrorRecorder, *, purges: bool = False) -> None:
    """Saves what has been recorded. While the database is away, the recorder keeps it."""
    sightings = source.take()
    try:
        if sightings:
            # Nobody waits for it, so it must not block the shared thread.
            await database_sync_to_async(storage.save, thread_sensitive=False)(sightings)
        if purges:
            await database_sync_to_async(storage.purge, thread_sensitive=False)()
    except Exception as error:
        # What the database refuses for another reason, it would refuse again.
        if is_passing(error) or isinstance(error, OSError | MemoryError):
            source.give_back(sightings)
        failures.note_failure(error)
    else:
        failures.note_success()
