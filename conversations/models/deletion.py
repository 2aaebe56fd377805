"""How long what was deleted can be put back."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.timezone import now


def final_before() -> datetime:
    """What was deleted before this moment stays deleted, and is soon gone for good."""
    return now() - timedelta(days=settings.DELETED_DAYS)
