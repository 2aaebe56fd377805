"""Decides whether a WebSocket handshake comes from a page of this site.

Browsers send cookies with a handshake from any page, so `Origin` is all that keeps other sites out.
"""

import re
from collections.abc import Mapping
from io import BytesIO
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.utils.http import is_same_domain

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
SERIALISED: Final = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[^\s\[\]/?#@:,\\%]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
"""An origin as browsers write it (RFC 6454, 6.2): nothing before the scheme or after the port."""
SECURE_SCHEMES: Final = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


class Origin(NamedTuple):
    """An origin in its normal form: lower case, IDNA, and always with a port."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Origin | None":
        """Returns None for `null` and for anything that is not exactly one origin."""
        if not (parts := SERIALISED.fullmatch(text)):
            return None
        scheme, host, port = parts[1].lower(), parts[2], int(parts[3] or DEFAULT_PORTS[parts[1].lower()])
        try:
            return cls(scheme, normalise_host(host), port)
        except ValueError:
            return None


def normalise_host(host: str) -> str:
    if host.startswith("["):
        return f"[{ip_address(host[1:-1])}]"
    return host.encode("idna").decode().lower() if not host.isascii() else host.lower()


def is_from_own_page(scope: Mapping[str, Any]) -> bool:
    """Whether the handshake's only `Origin` is the origin that it was sent to, or a trusted one.

    The rules are those of Django's protection against forged requests, which also reads CSRF_TRUSTED_ORIGINS.
    """
    sent = [value for name, value in scope["headers"] if name == b"origin"]
    origin = Origin.parse(sent[0].decode("latin-1")) if len(sent) == 1 else None
    return origin is not None and (origin == find_own_origin(scope) or is_trusted(origin))


def find_own_origin(scope: Mapping[str, Any]) -> Origin | None:
    """Returns the origin that the browser connected to, or None if `Host` does not name this site."""
    request = ASGIRequest({**scope, "method": "GET", "scheme": "http"}, BytesIO())
    try:
        host = request.get_host()
    except SuspiciousOperation:
        return None
    return Origin.parse(f"{find_scheme(request, scope)}://{host}")


def find_scheme(request: ASGIRequest, scope: Mapping[str, Any]) -> str:
    """Returns `http` or `https`. Some proxies write `wss` into X-Forwarded-Proto, and some servers into the scope."""
    forwarded = request.META.get(settings.SECURE_PROXY_SSL_HEADER[0]) if settings.SECURE_PROXY_SSL_HEADER else None
    scheme = scope.get("scheme", "ws") if forwarded is None else forwarded.partition(",")[0]
    return SECURE_SCHEMES.get(scheme.strip().lower(), "http")


def is_trusted(origin: Origin) -> bool:
    return any(matches(origin, text) for text in settings.CSRF_TRUSTED_ORIGINS)


def matches(origin: Origin, pattern: str) -> bool:
    """Whether the origin is a trusted one. As in Django, `https://*.example.org` includes `https://example.org`."""
    exact = pattern.replace("://*.", "://", 1)
    trusted = Origin.parse(exact)
    if trusted is None or exact == pattern:
        return trusted == origin
    return trusted._replace(host=origin.host) == origin and is_same_domain(origin.host, f".{trusted.host}")
