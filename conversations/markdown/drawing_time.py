"""The CPU time that one message has for colours and formulas."""

from collections.abc import Callable
from time import thread_time
from typing import Final

MOST_SECONDS: Final = 0.4
"""Seconds of CPU. About 50,000 characters of code, or 4,000 different formulas."""


class DrawingTime:
    """The time left for the colours and formulas of one message. What comes after it is shown as its source."""

    def __init__(self, seconds: float = MOST_SECONDS) -> None:
        self.left = seconds

    def draw(self, drawing: Callable[[], str], source: Callable[[], str]) -> str:
        """Returns the drawing and takes its time off what is left, or returns the source if nothing is left."""
        if self.left <= 0:
            return source()
        start = thread_time()
        try:
            return drawing()
        finally:
            self.left -= thread_time() - start
