"""What the error pages of DEBUG leave out."""

import re

from django.views.debug import SafeExceptionReporterFilter


class SettingsFilter(SafeExceptionReporterFilter):
    """Also hides the URLs of Redis, which contain a password."""

    hidden_settings = re.compile(f"{SafeExceptionReporterFilter.hidden_settings.pattern}|REDIS_URL|LOCATION", re.I)
