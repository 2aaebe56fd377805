"""Logs a failure that lasts, such as a full disk, without filling the log."""

import logging
import time
from typing import Final

from django.db import Error

from chatsite.logs.exceptions import read_first_line
from chatsite.logs.filters import PERIOD

logger = logging.getLogger(__name__)

SHORTAGES: Final = (Error, OSError, MemoryError)
"""The errors of a database, a disk, memory or file descriptors that are busy, full or used up. They may pass."""


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
            words = f"{type(error).__name__}: {read_first_line(error)}"
            logger.warning("%s is failing (%s)", self._subject, words, exc_info=trace)

    def note_success(self) -> None:
        if self._is_reported:
            self._is_reported = False
            logger.warning("%s works again", self._subject)
