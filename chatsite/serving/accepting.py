"""Waits with new connections while the process has no file descriptor left."""

import asyncio
import os
from typing import Any, Final

from chatsite.failures.failure_log import FailureLog

PAUSE: Final = 1.0
"""Seconds until the next attempt. New connections wait in the system's queue meanwhile."""

failures = FailureLog("Accepting connections")


def pause_without_descriptors(port: Any) -> None:
    """Makes a port of Twisted wait. Twisted would try again at once, which keeps the event loop busy."""
    accept = port.doRead

    def accept_or_wait() -> None:
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            failures.note_failure(error)
            port.stopReading()
            asyncio.get_running_loop().call_later(PAUSE, resume)
            return
        failures.note_success()
        accept()

    def resume() -> None:
        if port.connected:
            port.startReading()

    port.doRead = accept_or_wait
