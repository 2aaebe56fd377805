"""URLs in settings that contain a password. No error about them shows any part of the URL."""

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

ENCODE: Final = (
    "In the user name and the password, write % as %25, / as %2F, : as %3A, @ as %40, # as %23 and ? as %3F."
)


def split_url(setting: str, url: str) -> SplitResult:
    """Splits a URL whose host and port can be read. Raises ImproperlyConfigured."""
    try:
        parts = urlsplit(url)
        is_whole = parts.port != 0
    except ValueError:
        is_whole = False
    # With an unencoded character in the password, the URL would name another server.
    if not is_whole or (parts.netloc and "@" in parts.path + parts.query + parts.fragment):
        # `from None`: the message of urllib can contain a piece of the password.
        raise ImproperlyConfigured(f"The host or the port of {setting} cannot be read. {ENCODE}") from None
    return parts


def require_redis_url(url: str) -> None:
    """Raises ImproperlyConfigured if the URL names no database of Redis. Clients would take database 0 instead."""
    parts = split_url("REDIS_URL", url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ImproperlyConfigured("REDIS_URL must begin with redis://, rediss:// or unix://")
    if parts.scheme != "unix" and not re.fullmatch(r"/?[0-9]*", parts.path):
        raise ImproperlyConfigured("REDIS_URL must end in the number of a database: redis://host:6379/0")
