"""How far the clocks of model servers are ahead of this machine's, by the header `Date` of answers that come anyway."""

import statistics
import time
from collections import deque
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Final

REMEMBERED: Final = 20

_ahead: deque[float] = deque(maxlen=REMEMBERED)


def note_date(date: str | None) -> None:
    """Remembers the difference. Ignores a header that is missing or cannot be read."""
    with suppress(ValueError, OverflowError):
        _ahead.append(parsedate_to_datetime(date or "").timestamp() - time.time())


def find_seconds_ahead() -> float | None:
    """Returns the median of the latest differences: one server's clock may be wrong. None without any."""
    return statistics.median(_ahead) if _ahead else None
