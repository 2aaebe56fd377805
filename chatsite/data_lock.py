"""Lets only one process at a time serve or restore the data in DATA_DIR."""

import os
import time
from typing import Final

from django.conf import settings

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PAUSE: Final = 0.1
"""Seconds between two attempts."""

_held: int | None = None
"""The open file. The system releases its lock when the process ends, however it ends."""


def acquire_data_lock(patience: float = 0) -> bool:
    """Locks the data for the rest of this process. Returns False if others still have it after `patience` seconds."""
    global _held
    if _held is None:
        file = os.open(settings.DATA_DIR / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not wait_for_lock(file, time.monotonic() + patience):
            os.close(file)
            return False
        _held = file
    return True


def wait_for_lock(file: int, end: float) -> bool:
    while fcntl:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(PAUSE)
        except OSError:
            break  # Some network file systems have no locks.
    return True
