"""Writes a backup of the running site."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection

from chatsite.backups import archive, databases
from chatsite.backups.archive import CHUNK, ArchiveWriter, BackupFault
from chatsite.backups.databases import Reader
from chatsite.backups.manifest import Manifest, SavedTable, fingerprint
from chatsite.backups.rows import Digest
from chatsite.backups.schema import Table
from chatsite.installation.data_lock import try_lock
from chatsite.installation.uploads import is_remote
from chatsite.installation.version import read_version
from conversations.models.attachment import OTHER_FILES, Attachment

TABLES: Final = "tables"
UPLOADS: Final = "uploads"
SECRETS: Final = ("secret_key", "sealing_key")


@dataclass(slots=True)
class Report:
    size: int = 0
    """Of the backup, in bytes."""
    files: int = 0
    """How many attached files the backup has."""
    warnings: list[str] = field(default_factory=list)
    """Sentences about what the backup lacks."""


def make_backup(target: Path) -> Report:
    """Writes and verifies a backup. `target` changes only when it is complete. Raises BackupFault or OSError."""
    target = target.resolve()
    if target.exists() and not target.is_file():
        raise BackupFault(f"{target} is not a file. Name a file, or - for the standard output.")
    if not target.parent.is_dir():
        raise BackupFault(f"There is no directory {target.parent}.")
    with scratch_directory(target.with_name(f".{target.name}.partial")) as scratch:
        draft = scratch / "archive"
        with draft.open("w+b") as file:
            report = write_backup(file, scratch)
            report.size = file.tell()
            os.fsync(file.fileno())
            # Reads what is on the disk now, as a restore would.
            file.seek(0)
            for _ in archive.read_members(file):
                pass
        os.replace(draft, target)
        sync_directory(target.parent)
    return report


def stream_backup(file: BinaryIO) -> Report:
    """Writes a backup that cannot be read again to verify it. Raises BackupFault or OSError."""
    with scratch_directory(settings.DATA_DIR / ".backup.partial") as scratch:
        return write_backup(file, scratch)


@contextmanager
def scratch_directory(path: Path) -> Iterator[Path]:
    """Yields an empty directory that is deleted afterwards. One that a killed process left is used again."""
    path.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(path, os.O_RDONLY)
    try:
        if not try_lock(lock):
            raise BackupFault(f"Another backup is being written in {path}.")
        try:
            for left in path.iterdir():
                left.unlink()
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


def write_backup(file: BinaryIO, scratch: Path) -> Report:
    """Copies the database first. Files never change, so those that the copy knows are there, unless deleted since."""
    moment, report = time.time(), Report()
    with databases.open_database() as reader:
        contents = databases.examine(reader)
        tables = [save_table(reader, table, scratch / table.name) for table in contents.tables]
        uploads = databases.list_uploads(reader, contents.tables)
    report.warnings += [
        f"The table {name} is not one of chatsite, and not in the backup." for name in contents.strangers
    ]
    manifest = Manifest(
        version=contents.version or read_version(),
        made_at=datetime.fromtimestamp(int(moment), UTC).isoformat(),
        database=connection.vendor,
        migrations=contents.migrations,
        sealing_key=fingerprint(settings.SEALING_KEY),
        tables=tables,
    ).encode()
    writer = ArchiveWriter(file, int(moment))
    writer.add(archive.MANIFEST, len(manifest), [manifest])
    for table in tables:
        add_file(writer, f"{TABLES}/{table.name}", scratch / table.name)
        (scratch / table.name).unlink()
    add_secrets(writer, report)
    for stored, size in uploads.items():
        add_upload(writer, report, stored, size)
    writer.finish()
    return report


def save_table(reader: Reader, table: Table, path: Path) -> SavedTable:
    """Writes the rows of a table to a file."""
    digest = Digest(table)
    with path.open("wb") as file:
        file.writelines(digest.watch(reader.read(table)))
    return SavedTable(table.name, table.names, digest.rows, digest.value, reader.find_last_number(table))


def add_secrets(writer: ArchiveWriter, report: Report) -> None:
    for name in SECRETS:
        path = settings.DATA_DIR / name
        if path.exists() and path.read_text().strip() == getattr(settings, name.upper()):
            add_file(writer, name, path)
        else:
            report.warnings.append(f"{name.upper()} comes from the environment and is not in the backup: keep it, too.")


def add_upload(writer: ArchiveWriter, report: Report, stored: str, size: int) -> None:
    """Adds an attached file and what belongs to it. Warns if it is missing or incomplete."""
    for part in ("", *OTHER_FILES):
        name = stored + part
        try:
            with default_storage.open(name) as file:
                found = file.size
                writer.add(f"{UPLOADS}/{name}", found, file.chunks(CHUNK))
        except FileNotFoundError:
            # Its other files are optional, and a file that was deleted meanwhile has no row any more.
            if not part and Attachment.objects.filter(stored=stored).exists():
                report.warnings.append(f"{describe_place(name)} is missing, although the database knows it.")
            continue
        report.files += not part
        if not part and found != size:
            report.warnings.append(f"{describe_place(name)} has {found} bytes instead of {size}.")


def describe_place(name: str) -> str:
    """Where a person finds an attached file: a path, or the name in the store."""
    return name if is_remote(settings.STORAGES["default"]) else str(Path(settings.MEDIA_ROOT, name))


def add_file(writer: ArchiveWriter, name: str, path: Path) -> None:
    with path.open("rb") as file:
        writer.add(name, os.fstat(file.fileno()).st_size, iter(lambda: file.read(CHUNK), b""))


def sync_directory(directory: Path) -> None:
    """Makes a rename survive a power failure."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
