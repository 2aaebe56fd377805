"""Writes that must not be lost while the database is busy, locked or gone."""

import asyncio
from collections.abc import Awaitable, Callable

from django.core.exceptions import ObjectNotUpdated
from django.db import DatabaseError, IntegrityError

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
"""Seconds between two attempts; each pause is twice the one before."""


async def retry_until_saved[R](
    write: Callable[[], Awaitable[R]], *, on_failure: Callable[[], None], attempts: int | None = None
) -> R:
    """Awaits `write` until the database takes it. Calls `on_failure` in the handler of each error before a pause.

    Raises the error of the last of `attempts`, when they are limited. Raises IntegrityError and ObjectNotUpdated at
    once: the row that was to be written is gone, and another attempt does not bring it back.
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
