"""Runs last acts between the signal to stop and the end of the process."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)

LastAct = Callable[[], Coroutine[Any, Any, None]]
_last_acts: list[LastAct] = []


def on_stop(act: LastAct) -> None:
    """Registers `act`, which the server awaits on its loop when it has to stop, while connections are still open.

    All acts share settings.SHUTDOWN_GRACE seconds. One that takes longer is cancelled.
    """
    _last_acts.append(act)


async def finish(grace: float) -> None:
    """Awaits all last acts at once, for at most `grace` seconds. Never raises: the server stops in any case."""
    if not _last_acts:
        return
    acts = [asyncio.ensure_future(act()) for act in _last_acts]
    _, late = await asyncio.wait(acts, timeout=grace)
    for act in late:
        act.cancel()
    for outcome in await asyncio.gather(*acts, return_exceptions=True):
        if isinstance(outcome, Exception):
            logger.error("Something failed while the server stopped", exc_info=outcome)
