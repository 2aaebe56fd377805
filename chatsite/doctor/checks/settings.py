"""Settings that contradict each other."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from django.conf import settings

from chatsite.addresses import EVERYWHERE
from chatsite.doctor.findings import Diagnosis, broken, look_at, ok

SHORTEST_TOKEN: Final = 16
LOCAL_NAMES: Final = ("localhost", ".localhost", "testserver")


def check_debug() -> Iterator[Diagnosis]:
    if settings.DEBUG and (public := find_public_name()):
        yield broken(
            f"DEBUG is on, and people reach the site as {public}: error pages show them code and settings.",
            "Set DEBUG=false.",
        )
    elif settings.DEBUG:
        yield look_at(
            "DEBUG is on: error pages show code and settings, and the site is slower.",
            "Set DEBUG=false, unless you are developing chatsite on this machine.",
        )


def check_names() -> Iterator[Diagnosis]:
    if "*" in settings.ALLOWED_HOSTS:
        yield look_at(
            "ALLOWED_HOSTS contains *, so the site answers under any name, also one that an attacker chooses.",
            "Set ALLOWED_HOSTS to the names that people use.",
        )
    elif settings.HTTPS and not find_public_name():
        yield look_at(
            "HTTPS is on, and ALLOWED_HOSTS has no name except those of this machine.",
            "Set ALLOWED_HOSTS to the names that people use.",
        )
    else:
        yield ok(f"The site answers as {', '.join(settings.ALLOWED_HOSTS)}.")


def check_tls() -> Iterator[Diagnosis]:
    if settings.BEHIND_PROXY and not settings.HTTPS:
        yield look_at(
            "BEHIND_PROXY is on and HTTPS is off, so browsers may send passwords and cookies unencrypted.",
            "Let the proxy serve the site over TLS, and set HTTPS=true.",
        )
    elif settings.HTTPS and not settings.BEHIND_PROXY:
        yield look_at(
            "HTTPS is on and BEHIND_PROXY is off. `manage.py serve` speaks no TLS itself, so each of its pages "
            "redirects to itself.",
            "Set BEHIND_PROXY=true behind a proxy that serves TLS, unless another ASGI server here does.",
        )
    if settings.BEHIND_PROXY and settings.HOST in EVERYWHERE:
        yield look_at(
            f"The site listens on all addresses of this machine (HOST={settings.HOST or 'empty'}) and trusts the "
            "headers of a proxy: anybody who reaches the port directly can claim any address.",
            "Set HOST to the address at which only the proxy reaches it, or let a firewall or the container do so.",
        )
    if settings.HTTPS and any(origin.startswith("http://") for origin in settings.CSRF_TRUSTED_ORIGINS):
        yield look_at(
            "CSRF_TRUSTED_ORIGINS has an origin without TLS, although HTTPS is on.",
            "Let the origins begin with https://.",
        )


def check_metrics() -> Iterator[Diagnosis]:
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < SHORTEST_TOKEN:
        yield look_at(
            f"METRICS_TOKEN has fewer than {SHORTEST_TOKEN} characters, so it can be guessed.",
            "Set it to a long random text, for example the output of `openssl rand -hex 24`.",
        )


def find_public_name() -> str:
    """Returns a name in ALLOWED_HOSTS by which others than this machine reach the site, or ""."""
    return next((name for name in settings.ALLOWED_HOSTS if not is_local(name)), "")


def is_local(name: str) -> bool:
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name in LOCAL_NAMES
