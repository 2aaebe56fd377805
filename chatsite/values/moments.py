"""Parses moments and days from URLs, which are untrusted."""

from datetime import UTC, datetime, time

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import make_aware


def parse_moment(text: str) -> datetime | None:
    """Returns a moment in UTC. None for other text, for one without an offset, and beyond the years of UTC."""
    try:
        moment = parse_datetime(text)
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def parse_day(text: str) -> datetime | None:
    """Returns the start of the day in the current time zone, with the same exceptions."""
    try:
        day = parse_date(text)
        return make_aware(datetime.combine(day, time.min)).astimezone(UTC) if day else None
    except (ValueError, OverflowError):
        return None
