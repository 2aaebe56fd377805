"""What is still finished between being told to stop and stopping."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)

LastAct = Callable[[], Coroutine[Any, Any, None]]
_last_acts: list[LastAct] = []


def on_stop(act: LastAct) -> None:
    """Has `act` awaited on the server's loop when the server is told to stop, while its connections still stand.

    All acts share settings.SHUTDOWN_GRACE seconds; one that is not done by then is cancelled.
    """
    _last_acts.append(act)


async def finish(grace: float) -> None:
    """Awaits every last act, together, for at most `grace` seconds. Never fails: the server stops in any case."""
    if not _last_acts:
        return
    acts = [asyncio.ensure_future(act()) for act in _last_acts]
    _, late = await asyncio.wait(acts, timeout=grace)
    for act in late:
        act.cancel()
    for outcome in await asyncio.gather(*acts, return_exceptions=True):
        if isinstance(outcome, Exception):
            logger.error("Something failed while the server stopped", exc_info=outcome)
