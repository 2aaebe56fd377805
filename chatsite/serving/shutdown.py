"""Runs last acts between the signal to stop and the end of the process."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger(__name__)

LastAct = Callable[[], Coroutine[Any, Any, None]]
_last_acts: list[LastAct] = []


def on_stop(act: LastAct) -> None:
    """Registers `act`, which the server awaits on its loop when it has to stop, while connections are still open.

    All acts share settings.SHUTDOWN_GRACE seconds. One that takes longer is cancelled.
    """
    _last_acts.append(act)


async def finish(grace: float) -> None:
    """Awaits all last acts at once, for at most `grace` seconds, or until another signal to stop.

    Never raises: the server stops in any case.
    """
    if not _last_acts:
        return
    acts = [asyncio.ensure_future(act()) for act in _last_acts]
    everything = asyncio.gather(*acts, return_exceptions=True)
    with hurrying() as hurry:
        waiting: list[asyncio.Future[Any]] = [asyncio.shield(everything), hurry]
        await asyncio.wait(waiting, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
    for act in acts:
        act.cancel()
    for outcome in await everything:
        if isinstance(outcome, Exception):
            logger.error("Something failed while the server stopped", exc_info=outcome)


@contextmanager
def hurrying() -> Iterator[asyncio.Future[None]]:
    """Within the block, a signal to stop completes the future instead."""
    loop = asyncio.get_running_loop()
    hurry: asyncio.Future[None] = loop.create_future()
    earlier = {each: signal.getsignal(each) for each in SIGNALS}
    try:
        for each in SIGNALS:
            loop.add_signal_handler(each, complete, hurry)
    except (NotImplementedError, RuntimeError, ValueError):
        # Windows, or not the main thread.
        earlier.clear()
    try:
        yield hurry
    finally:
        for each, handler in earlier.items():
            loop.remove_signal_handler(each)
            signal.signal(each, handler)
        hurry.cancel()


def complete(hurry: asyncio.Future[None]) -> None:
    if not hurry.done():
        hurry.set_result(None)
