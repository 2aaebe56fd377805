"""SECRET_KEY and SEALING_KEY, and what they protect."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from chatsite import keys
from chatsite.doctor.findings import Diagnosis, broken, count, look_at, ok, split
from chatsite.installation.private_files import OTHERS
from tools.models import ToolServer
from upstreams.models import Provider

SHORTEST_KEY: Final = 32
FILES: Final = ("secret_key", "sealing_key")


def check_strength() -> Iterator[Diagnosis]:
    for setting in keys.KEYS:
        if len(getattr(settings, setting)) < SHORTEST_KEY:
            yield look_at(
                f"{setting} has fewer than {SHORTEST_KEY} characters, so it can be guessed.",
                "Set it to a long random text, as docs/operating.md says under “Keys”.",
            )
    if settings.SECRET_KEY == settings.SEALING_KEY:
        yield look_at(
            "SECRET_KEY and SEALING_KEY are the same, so one cannot change without the other.",
            "Set two different keys, as docs/operating.md says under “Keys”.",
        )


def check_modes() -> Iterator[Diagnosis]:
    files = [settings.BASE_DIR / ".env", *(settings.DATA_DIR / name for name in FILES)]
    for path in files:
        if path.exists() and path.stat().st_mode & OTHERS:
            yield look_at(
                f"Other users of this machine may be able to read {path}, which contains secrets.",
                f"Run `chmod 600 {path}`.",
            )


def check_fingerprints() -> Iterator[Diagnosis]:
    if keys.is_unreadable():
        yield broken(*split(keys.UNREADABLE))
    elif changed := keys.find_changed_keys():
        yield broken(*split(keys.NOT_OURS.format(changed[0])))
    elif not keys.read_fingerprints():
        yield look_at("The database has no fingerprints of the keys yet.", "Start the site once.")
    else:
        yield ok("SECRET_KEY and SEALING_KEY are those that the database has been used with.")


def check_sealed() -> Iterator[Diagnosis]:
    unreadable = [str(provider) for provider in Provider.objects.all() if not provider.is_key_readable]
    unreadable += [str(server) for server in ToolServer.objects.all() if not server.are_headers_readable]
    if unreadable:
        yield broken(
            f"The sealed key or headers of {', '.join(unreadable)} cannot be read.",
            "Enter them again on the pages of the provider or the tool server.",
        )


def check_fallbacks() -> Iterator[Diagnosis]:
    for setting in ("SECRET_KEY_FALLBACKS", "SEALING_KEY_FALLBACKS"):
        if fallbacks := getattr(settings, setting):
            yield look_at(
                f"{setting} has {count(len(fallbacks), 'previous key')}.",
                "Remove it once the change of the key is over.",
            )
