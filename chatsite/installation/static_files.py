"""Collects static files again whenever the collected ones are not those of this version."""

import hashlib
import importlib.metadata
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection

from chatsite.installation.data_lock import hold_lock

MARK: Final = ".collected"
"""A file in STATIC_ROOT with the digest of the sources and of the manifest that was made from them."""
LOCK: Final = "static.lock"
TOOLS: Final = ("django", "servestatic")
"""The distributions whose versions decide what is made from the sources."""


def collect_if_changed() -> None:
    """Compares by content: after a change of version, times of files say nothing about which is the right one."""
    if are_collected():
        return
    with hold_lock(settings.DATA_DIR / LOCK):
        # Another process may have collected them meanwhile.
        if not are_collected():
            # Pages of an older version, which other processes may still serve, need their files.
            call_command("collectstatic", interactive=False, clear=connection.vendor == "sqlite", verbosity=0)
            Path(settings.STATIC_ROOT, MARK).write_text(describe(digest(read_sources())))


def are_collected() -> bool:
    """Whether the collected files are those of this version."""
    mark = Path(settings.STATIC_ROOT, MARK)
    return settings.DEBUG or (mark.exists() and mark.read_text() == describe(digest(read_sources())))


def describe(sources: str) -> str:
    """The content of MARK. A `collectstatic` of another version changes the manifest and leaves MARK."""
    manifest = Path(settings.STATIC_ROOT, "staticfiles.json")
    return f"{sources} {digest([manifest.read_bytes()]) if manifest.exists() else 'no manifest'}"


def read_sources() -> Iterator[bytes]:
    yield from (importlib.metadata.version(tool).encode() for tool in TOOLS)
    for finder in get_finders():
        for name, storage in sorted(finder.list([]), key=itemgetter(0)):
            yield name.encode()
            yield Path(storage.path(name)).read_bytes()


def digest(parts: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()
