"""Reads the settings of mail. None of the errors contains a part of the URL, because any part may be the password."""

import math
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import unquote

from django.core.exceptions import ImproperlyConfigured

from chatsite.installation.urls import ENCODE, split_url

CONSOLE: Final = "console"
ENCRYPTION: Final = {
    "smtp": {},
    "smtp+tls": {"use_tls": True},
    "smtps": {"use_ssl": True},
    "smtp+ssl": {"use_ssl": True},
}
"""By scheme, the options of Django's backend: `use_tls` begins with STARTTLS, `use_ssl` with TLS itself."""
PORTS: Final = {"smtp": 25, "smtp+tls": 587, "smtps": 465, "smtp+ssl": 465}
LONGEST_TIMEOUT: Final = 60.0

_FORMS: Final = (
    "Use smtp+tls://user:password@host:587 for STARTTLS, smtps://user:password@host:465 for TLS, smtp://host:25 "
    "without encryption, or console: to print messages."
)
# A sender is `address` or `Name <address>`. Whether the address exists is for the mail server to say.
_ADDRESS: Final = r"[^\s<>@,;\"]+@[^\s<>@,;\"]+"
_SENDER: Final = re.compile(rf"{_ADDRESS}|[^<>\r\n]*<{_ADDRESS}>")
_NAME: Final = re.compile(r"[\w.-]+\.[a-z][\w-]+", re.IGNORECASE)
"""A host name with a domain, and no IP address."""


def read_timeout(text: str) -> float:
    """Returns seconds. Raises ImproperlyConfigured."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= LONGEST_TIMEOUT:
        raise ImproperlyConfigured(f"EMAIL_TIMEOUT must be a number of seconds from 1 to {LONGEST_TIMEOUT:g}.")
    return seconds


def read_mailers(url: str, timeout: float) -> dict[str, dict[str, Any]]:
    """Returns Django's MAILERS for EMAIL_URL; none for an empty URL. Raises ImproperlyConfigured."""
    if not url:
        return {}
    if url.rstrip("/") == f"{CONSOLE}:":
        return {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
    scheme = url.partition(":")[0].lower()
    if scheme not in ENCRYPTION or not url[len(scheme) :].startswith("://"):
        raise ImproperlyConfigured(f"EMAIL_URL has no form that chatsite knows. {_FORMS}")
    options = {**read_server(url, scheme), **ENCRYPTION[scheme], "timeout": timeout}
    return {"default": {"BACKEND": "chatsite.mail.smtp.SmtpBackend", "OPTIONS": options}}


def read_server(url: str, scheme: str) -> dict[str, Any]:
    """Returns host, port, user name and password as options of Django's backend."""
    parts = split_url("EMAIL_URL", url)
    if not parts.hostname or not is_host(parts.hostname):
        raise ImproperlyConfigured(f"EMAIL_URL does not name a mail server. {_FORMS}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ImproperlyConfigured(f"EMAIL_URL must end after the host and the port. {ENCODE}")
    username, password = decode(parts.username), decode(parts.password)
    if bool(username) != bool(password):
        raise ImproperlyConfigured("EMAIL_URL needs a user name and a password, or neither.")
    return {"host": parts.hostname, "port": parts.port or PORTS[scheme], "username": username, "password": password}


def is_host(text: str) -> bool:
    """Whether the text can be the name or the address of a machine. The resolver raises other errors than OSError."""
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return text.isprintable() and " " not in text


def decode(text: str | None) -> str:
    """Decodes a user name or a password. smtplib can send only ASCII."""
    decoded = unquote(text or "")
    if not (decoded.isascii() and (decoded.isprintable() or not decoded)):
        raise ImproperlyConfigured("The user name and the password of EMAIL_URL can only have printable ASCII.")
    return decoded


def read_sender(text: str, mailers: dict[str, dict[str, Any]], allowed_hosts: Sequence[str]) -> str:
    """Returns the sender of all mail: EMAIL_FROM, or else the mail server's user, or else an address of the site.

    Raises ImproperlyConfigured.
    """
    if text:
        if not _SENDER.fullmatch(text):
            raise ImproperlyConfigured(
                "EMAIL_FROM must be an address, such as chat@example.org or Chat <chat@example.org>."
            )
        return text
    username = mailers.get("default", {}).get("OPTIONS", {}).get("username", "")
    if re.fullmatch(_ADDRESS, username):
        return str(username)
    names = (host.lstrip("*.") for host in allowed_hosts)
    return f"chatsite@{next((name for name in names if _NAME.fullmatch(name)), 'localhost')}"
