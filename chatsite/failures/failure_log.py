"""Logs a failure that lasts, such as a full disk, without filling the log."""

import logging
import time
from typing import Final

from django.db import Error

logger = logging.getLogger(__name__)

PERIOD: Final = 60.0
"""Seconds between two lines about the same failure."""
SHORTAGES: Final = (Error, OSError, MemoryError)
"""The errors of a database, a disk, memory or file descriptors that are busy, full or used up. They may pass."""


class WithoutTraceback(logging.Filter):
    """For refusals, whose traceback says nothing: anybody could fill the log with them."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class OneLineAMinute(logging.Filter):
    """For a library that logs each of its attempts while a failure lasts."""

    def __init__(self) -> None:
        super().__init__()
        self._next_line = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        moment = time.monotonic()
        if moment < self._next_line:
            return False
        self._next_line = moment + PERIOD
        return True


class FailureLog:
    """Logs one line a minute while something fails, and one when it works again. Belongs to one event loop."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._next_line = 0.0
        self._is_reported = False

    def note_failure(self, error: BaseException) -> None:
        moment = time.monotonic()
        if moment >= self._next_line:
            self._next_line, self._is_reported = moment + PERIOD, True
            # The traceback matters only if the error is our fault.
            trace = None if isinstance(error, SHORTAGES) else error
            words = " ".join(str(error).split())
            logger.warning("%s is failing (%s: %s)", self._subject, type(error).__name__, words, exc_info=trace)

    def note_success(self) -> None:
        if self._is_reported:
            self._is_reported = False
            logger.warning("%s works again", self._subject)
