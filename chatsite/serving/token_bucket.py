"""Limits a rate while it allows short bursts."""

import time


class TokenBucket:
    """Holds up to `size` tokens and gains `per_second`. It starts full."""

    __slots__ = ("_filled_at", "_per_second", "_size", "_tokens")

    def __init__(self, size: float, per_second: float) -> None:
        self._size = self._tokens = size
        self._per_second = per_second
        self._filled_at = time.monotonic()

    def take(self) -> bool:
        """Takes a token. Returns whether there was one."""
        now = time.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
