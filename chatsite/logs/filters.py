"""Filters of events that would fill the log."""

import logging
import time
from typing import Final

PERIOD: Final = 60.0
"""Seconds between two lines about the same failure."""


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
