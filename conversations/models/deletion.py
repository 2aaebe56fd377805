"""How long deleted things can be restored."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.timezone import now


def time_kept() -> timedelta:
    return timedelta(days=settings.DELETED_DAYS)


def final_before() -> datetime:
    """Anything deleted before this moment can no longer be restored, and is purged soon."""
    return now() - time_kept()
