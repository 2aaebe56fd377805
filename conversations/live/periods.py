"""Names the periods that a list of conversations is divided into. days.js has the same rules for the reader's clock."""

from datetime import datetime
from typing import Final

from django.utils.timezone import localtime

_PERIODS: Final = ((1, "Today"), (2, "Yesterday"), (8, "Previous 7 days"), (31, "Previous 30 days"))


def name_period(moment: datetime, present: datetime) -> str:
    """Returns the name of the period that a moment is in, in the current time zone."""
    day, today = localtime(moment).date(), localtime(present).date()
    for limit, name in _PERIODS:
        if (today - day).days < limit:
            return name
    return f"{day:%B}" if day.year == today.year else f"{day:%B} {day.year}"
