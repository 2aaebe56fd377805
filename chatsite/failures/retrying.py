"""Retries writes that must not be lost while the database is busy, locked or unreachable, or the disk is full."""

import asyncio
from collections.abc import Awaitable, Callable

from django.core.exceptions import ObjectNotUpdated
from django.db import IntegrityError

from chatsite.failures.failure_log import SHORTAGES, FailureLog

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 2.0
"""Seconds between two attempts. Each pause is twice as long as the previous one.

The longest is short enough for several attempts while the process stops.
"""

failures = FailureLog("Saving")


async def retry_until_saved[R](
    write: Callable[[], Awaitable[R]], *, on_failure: Callable[[], None] = lambda: None
) -> R:
    """Repeats `write` until it succeeds. Logs that it fails, and calls `on_failure` before each pause.

    Raises IntegrityError and ObjectNotUpdated at once: the row is gone, and another attempt would not bring it back.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            result = await write()
        except (IntegrityError, ObjectNotUpdated):
            raise
        except SHORTAGES as error:
            failures.note_failure(error)
            on_failure()
        else:
            failures.note_success()
            return result
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
