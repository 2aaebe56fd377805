"""A lock whose waiters get it in the order of their arrival."""

import threading
from collections import deque
from collections.abc import Callable


class FairLock:
    """Is handed from each owner to the one that has waited longest. Any thread may release it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False

    def acquire(self, timeout: float, on_delay: Callable[[], None] = lambda: None, delay: float = 0.0) -> bool:
        """Waits for at most `timeout` seconds. Returns whether the caller has the lock.

        Calls `on_delay` after `delay` seconds of waiting.
        """
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=min(delay, timeout)):
            return True
        on_delay()
        if turn.acquire(timeout=max(0.0, timeout - delay)):
            return True
        with self._guard:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        # It was handed over at the last moment.
        return True

    def release(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False
