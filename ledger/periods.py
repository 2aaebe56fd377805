"""Days and months in the site's time zone."""

from datetime import date, datetime, timedelta

from django.db import models
from django.utils.timezone import get_default_timezone


class Period(models.TextChoices):
    DAY = "day", "a day"
    MONTH = "month", "a month"

    def start(self, moment: datetime) -> date:
        """The first day of the period that contains the moment."""
        # The site's zone, not the one that a page may activate for its reader: budgets are the same for all.
        day = moment.astimezone(get_default_timezone()).date()
        return day if self is Period.DAY else day.replace(day=1)

    def after(self, start: date) -> date:
        """The start of the period that follows the one that begins on `start`."""
        if self is Period.DAY:
            return start + timedelta(days=1)
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)


def midnight(day: date) -> datetime:
    """The moment at which the day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=get_default_timezone())
