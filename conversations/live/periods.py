"""Names the periods that a list of conversations is divided into. days.js has the same rules for the reader's clock."""

from datetime import date, datetime
from typing import Final

from django.utils.timezone import localtime

_PERIODS: Final = ((1, "Today"), (2, "Yesterday"), (8, "Previous 7 days"), (31, "Previous 30 days"))


def name_period(moment: datetime, present: datetime) -> str:
    """Returns the name of the period that a moment is in, in the current time zone."""
    day, today = find_day(moment), find_day(present)
    for limit, name in _PERIODS:
        if (today - day).days < limit:
            return name
    return f"{day:%B}" if day.year == today.year else f"{day:%B} {day.year}"


def find_day(moment: datetime) -> date:
    """Returns the day in the current time zone. At the edges of time, which anybody can ask for, there may be none."""
    try:
        return localtime(moment).date()
    except OverflowError:
        return moment.date()
