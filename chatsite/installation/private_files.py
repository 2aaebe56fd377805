"""Keeps the installation's files readable by their owner alone."""

import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE, S_ISLNK, S_ISVTX
from typing import Final

from django.conf import settings
from django.db import connection

OTHERS: Final = 0o077
"""The permissions of everybody but the owner: the mask for new files, and what existing ones lose."""


def protect_files() -> str:
    """Makes the data directory and the database private. Returns a warning about what could not be changed, or ""."""
    uploads = Path(settings.MEDIA_ROOT)
    elsewhere = [] if uploads.is_relative_to(settings.DATA_DIR) else [uploads]
    exposed = make_private(settings.DATA_DIR, *list_database_files(), *elsewhere)
    if not exposed:
        return ""
    rest = f" and {len(exposed) - 1} more" if len(exposed) > 1 else ""
    return (
        f"Other users of this machine may be able to read {exposed[0]}{rest}. "
        f"Make the user who runs chatsite their owner, or set DATA_DIR to a directory of its own."
    )


def list_database_files() -> list[Path]:
    """The files of an SQLite database. Some of them may not exist."""
    if connection.vendor != "sqlite":
        return []
    name = connection.settings_dict["NAME"]
    return [Path(f"{name}{ending}") for ending in ("", "-wal", "-shm", "-journal")]


def make_private(*paths: Path) -> list[Path]:
    """Takes all permissions from everybody but the owner, for files, and for directories with all they contain.

    Follows no links in a directory. Returns the paths that others may still be able to read: they belong to another
    user, or are shared directories such as /tmp.
    """
    return [path for each in paths for path in walk(each) if not restrict(path)]


def walk(path: Path) -> Iterator[Path]:
    """Yields a path and, if it is a directory that is not shared, everything in it."""
    yield path
    if path.is_dir() and not is_shared(path.stat().st_mode):
        # os.walk lists a directory after its caller has restricted it, so nobody can then replace a file by a link.
        for folder, folders, files in os.walk(path):
            yield from (Path(folder, name) for name in folders + files)


def restrict(path: Path) -> bool:
    """Returns whether nobody but the owner has any permission on the path."""
    try:
        mode = path.lstat().st_mode
        if is_shared(mode):
            return False
        if mode & OTHERS and not S_ISLNK(mode):
            path.chmod(S_IMODE(mode) & ~OTHERS)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def is_shared(mode: int) -> bool:
    return bool(mode & S_ISVTX)
