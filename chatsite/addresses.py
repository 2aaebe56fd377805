"""The site's public URL."""

from django.conf import settings

EVERYWHERE = ("", "0.0.0.0", "::", "[::]")  # noqa: S104


def build_site_url() -> str:
    """Returns the URL to print: behind TLS the site's known name, otherwise the host and port of this process."""
    if settings.HTTPS and (name := _known_name()):
        return f"https://{name}/"
    host = settings.HOST
    if host in EVERYWHERE:
        host = _known_name() or "localhost"
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{settings.PORT}/"


def _known_name() -> str | None:
    """Returns the first of ALLOWED_HOSTS that is a name rather than a pattern."""
    return next((host for host in settings.ALLOWED_HOSTS if host.strip("*.") == host), None)
