"""Where the site is, for people to open."""

from django.conf import settings

EVERYWHERE = ("", "0.0.0.0", "::", "[::]")  # noqa: S104


def site_address() -> str:
    """The address to print: the name the site is known by behind TLS, else where this process listens."""
    if settings.HTTPS and (name := _known_name()):
        return f"https://{name}/"
    host = settings.HOST
    if host in EVERYWHERE:
        host = _known_name() or "localhost"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{settings.PORT}/"


def _known_name() -> str | None:
    """The first of ALLOWED_HOSTS that is a name rather than a pattern."""
    return next((host for host in settings.ALLOWED_HOSTS if host.strip("*.") == host), None)
