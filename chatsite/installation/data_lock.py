"""Keeps others away from the data in DATA_DIR while a site is restored, and on SQLite also while it runs."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK: Final = "lock"
PAUSE: Final = 0.1
"""Seconds between two attempts."""

_held: int | None = None
"""The open file. The system releases its lock when the process ends, however it ends."""


def acquire_data_lock(patience: float = 0, *, is_shared: bool = False) -> bool:
    """Locks the data for the rest of this process. Returns False if others still have it after `patience` seconds.

    With `is_shared`, others may lock it in the same way.
    """
    global _held
    if _held is None:
        file = os.open(settings.DATA_DIR / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        if not wait_for_lock(file, time.monotonic() + patience, is_shared=is_shared):
            os.close(file)
            return False
        _held = file
    return True


def is_data_locked() -> bool:
    """Whether another process keeps this one away from the data."""
    if _held is not None:
        return False
    file = os.open(settings.DATA_DIR / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        return not try_lock(file, is_shared=True)
    finally:
        os.close(file)


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Locks a file for the block, and waits for others that have locked it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        wait_for_lock(file, math.inf, is_shared=False)
        yield
    finally:
        os.close(file)


def wait_for_lock(file: int, end: float, *, is_shared: bool) -> bool:
    while not try_lock(file, is_shared=is_shared):
        if time.monotonic() >= end:
            return False
        time.sleep(PAUSE)
    return True


def try_lock(file: int, *, is_shared: bool = False) -> bool:
    """Locks an open file or directory until it is closed. Returns False if another process has locked it."""
    if fcntl:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # Some network file systems have no locks.
    return True
