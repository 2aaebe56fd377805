"""What the machine has left: space, files that can be open."""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

from chatsite.doctor.findings import Diagnosis, broken, look_at, ok
from chatsite.installation.private_files import list_database_files
from chatsite.serving.open_files import PER_TAB, RESERVED
from chatsite.values.figures import size

SCARCE: Final = 1_000_000_000
EMPTY: Final = 100_000_000
"""Bytes that are free."""
FEW_FILES: Final = 4096


def check_space() -> Iterator[Diagnosis]:
    folders = {settings.DATA_DIR, Path(settings.MEDIA_ROOT), Path(tempfile.gettempdir())}
    folders |= {path.parent for path in list_database_files()}
    disks: dict[int, Path] = {}
    for folder in sorted(folder for folder in folders if folder.exists()):
        disks.setdefault(folder.stat().st_dev, folder)
    for folder in disks.values():
        free = shutil.disk_usage(folder).free
        words = f"The disk of {folder} has {size(free)} left."
        if free < EMPTY:
            yield broken(words, "Free some space now: without it, nothing can be saved.")
        elif free < SCARCE:
            yield look_at(words, "Free some space soon.")
        else:
            yield ok(words)


def check_writing() -> Iterator[Diagnosis]:
    try:
        with tempfile.TemporaryFile(dir=settings.DATA_DIR):
            pass
    except OSError as error:
        yield broken(
            f"chatsite cannot write {settings.DATA_DIR} ({error.strerror}).",
            "Let the user who runs chatsite write there, or set DATA_DIR to another directory.",
        )
    others = [path for path in list_database_files() if path.exists() and not os.access(path, os.R_OK | os.W_OK)]
    for path in others:
        yield broken(f"chatsite cannot write {path}.", "Make the user who runs chatsite the owner of the file.")


def check_open_files() -> Iterator[Diagnosis]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEW_FILES:
        tabs = max(0, hard - RESERVED) // PER_TAB
        yield look_at(
            f"A process can open {hard:,} files at most, which is enough for about {tabs:,} tabs.",
            "Raise the hard limit: `ulimit -Hn`, or LimitNOFILE of a systemd unit.",
        )
    else:
        limit = "any number of" if hard == resource.RLIM_INFINITY else f"{hard:,}"
        yield ok(f"A process can open {limit} files.")
