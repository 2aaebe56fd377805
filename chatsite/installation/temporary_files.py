"""A folder for temporary files within DATA_DIR, for a system where nothing else can be written.

TMPDIR=$DATA_DIR/tmp asks for it. Nobody else would create it or empty it.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER: Final = "tmp"
OLD: Final = 24 * 60 * 60
"""Seconds. No request takes that long."""


def create_temporary_folder(data: Path) -> None:
    if is_asked_for(data):
        (data / FOLDER).mkdir(exist_ok=True)


def remove_old_temporary_files(data: Path) -> None:
    """Removes the temporary files of processes that were killed, and leaves those that others are using."""
    if not is_asked_for(data):
        return
    for path in (data / FOLDER).iterdir():
        # Another process may remove it at the same time.
        with suppress(FileNotFoundError):
            if path.lstat().st_mtime < time.time() - OLD:
                remove(path)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def is_asked_for(data: Path) -> bool:
    return Path(os.environ.get("TMPDIR", "/")).resolve() == data / FOLDER
