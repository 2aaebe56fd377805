"""Retries writes that must not be lost while the database is busy, locked or unreachable."""

import asyncio
from collections.abc import Awaitable, Callable

from django.core.exceptions import ObjectNotUpdated
from django.db import DatabaseError, IntegrityError

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
"""Seconds between two attempts. Each pause is twice as long as the previous one."""


async def retry_until_saved[R](
    write: Callable[[], Awaitable[R]], *, on_failure: Callable[[], None], attempts: int | None = None
) -> R:
    """Repeats `write` until it succeeds. Before each pause, calls `on_failure` while the error is being handled.

    With `attempts`, raises the error of the last one. Raises IntegrityError and ObjectNotUpdated at once: the row is
    gone, and another attempt would not bring it back.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            return await write()
        except (IntegrityError, ObjectNotUpdated):
            raise
        except DatabaseError:
            if attempts is not None:
                attempts -= 1
            if attempts == 0:
                raise
            on_failure()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
