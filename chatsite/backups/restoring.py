"""Puts a backup in the place of an empty site."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import connection

from chatsite.backups import archive, databases
from chatsite.backups.archive import BackupFault, Damaged, Member
from chatsite.backups.databases import (
    Progress,
    Reader,
    copy_rows,
    describe_mends,
    examine,
    fill_database,
    list_uploads,
    open_sqlite,
)
from chatsite.backups.making import SECRETS, TABLES, UPLOADS, Report
from chatsite.backups.manifest import SIZE_LIMIT, Manifest, SavedTable, fingerprint
from chatsite.backups.rows import Digest
from chatsite.backups.schema import Table, describe_tables
from chatsite.installation.data_lock import LOCK, acquire_data_lock
from chatsite.installation.secret import created_secrets, read_secret
from chatsite.installation.temporary_files import FOLDER as TEMPORARY_FILES
from chatsite.installation.unfinished import UNFINISHED_RESTORE, describe_unfinished_restore
from chatsite.installation.version import describe_newer, find_unknown
from chatsite.values.figures import size
from conversations.models.attachment import OTHER_FILES
from conversations.uploads import list_stored_files

WHOLE_DATABASE: Final = "database"
"""The member of earlier versions that is a file of the database."""
REPLACED: Final = ".replaced"
MAY_EXIST: Final = {
    *(LOCK, UNFINISHED_RESTORE, TEMPORARY_FILES, "static", "lost+found"),
    *SECRETS,
    *(name + REPLACED for name in SECRETS),
}
"""What DATA_DIR may contain without being a site."""


def restore_backup(source: BinaryIO, path: Path | None, progress: Progress) -> Report:
    """Verifies the whole backup and fills the database before it changes the site. `path` is that of the backup.

    Until the end there is a directory that keeps `serve` from starting, so a half restored site is never taken for a
    whole one. Raises BackupFault or OSError.
    """
    require_empty_site(path)
    staging = settings.DATA_DIR / UNFINISHED_RESTORE
    shutil.rmtree(staging, ignore_errors=True)
    with ExitStack() as clean_up:
        clean_up.callback(shutil.rmtree, staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        manifest = extract(source, staging)
        report = check_secrets(manifest, staging)
        with open_saved(manifest, staging) as (reader, migrations, tables):
            check_uploads(reader, tables, staging, report)
            with fill_database(staging, migrations, tables) as filling:
                copy_rows(reader, filling, tables, progress)
                report.warnings += describe_mends(filling.mends)
                clean_up.pop_all()
                try:
                    place_files(staging)
                except OSError as error:
                    raise BackupFault(f"{error} {describe_unfinished_restore()}") from error
    # The marker may only go when all the rest is on the disk.
    os.sync()
    shutil.rmtree(staging)
    os.sync()
    return report


def require_empty_site(backup: Path | None) -> None:
    if not acquire_data_lock():
        raise BackupFault(f"A site is running on {settings.DATA_DIR}. Stop it, or set DATA_DIR to an empty directory.")
    if not databases.is_empty():
        where = connection.settings_dict["NAME"]
        raise BackupFault(f"The database {where} is not empty. Restore into an empty database and an empty DATA_DIR.")
    allowed = {Path(connection.settings_dict["NAME"]).name, *MAY_EXIST}
    for found in list_entries(settings.DATA_DIR):
        is_expected = found.name in allowed or (found.name == UPLOADS and not list_entries(found))
        if not is_expected and not (backup and backup.resolve().is_relative_to(found)):
            raise BackupFault(f"{settings.DATA_DIR} is not empty: it contains {found.name}. Restore into an empty one.")
    if any(True for _ in list_stored_files()):
        raise BackupFault("The place of attached files (UPLOADS_URL) is not empty. Restore into an empty one.")


def list_entries(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else [directory]


# ---------------------------------------------------------------- reading


def extract(source: BinaryIO, staging: Path) -> Manifest:
    """Writes all members below `staging`. Raises BackupFault or OSError."""
    manifest, expected = None, set[str]()
    for member in archive.read_members(source):
        if manifest is None:
            # The reader yields the manifest first.
            if member.size > SIZE_LIMIT:
                raise Damaged("its manifest is too large")
            manifest = Manifest.decode(b"".join(member.chunks))
            require_fitting(manifest)
            expected = name_members(manifest)
        elif member.name in expected or member.name.startswith(f"{UPLOADS}/"):
            write_file(staging / member.name, member)
            expected.discard(member.name)
        else:
            raise Damaged(f"it contains {member.name}, which is no part of a site")
    if manifest is None or expected - {*SECRETS}:
        raise Damaged("it contains no whole database")
    return manifest


def name_members(manifest: Manifest) -> set[str]:
    """The members that are not uploads. Only the secrets may be missing."""
    tables = {f"{TABLES}/{table.name}" for table in manifest.tables}
    return {*SECRETS} | (tables or {WHOLE_DATABASE})


def require_fitting(manifest: Manifest) -> None:
    if not manifest.tables and manifest.database != "sqlite":
        raise BackupFault(
            "An earlier version made this backup with pg_dump. Unpack it with `tar -xf`, restore its file `database` "
            f"with `pg_restore`, and move `uploads`, `secret_key` and `sealing_key` to {settings.DATA_DIR}."
        )
    if unknown := find_unknown(manifest.migrations):
        raise BackupFault(describe_newer("The backup", manifest.version, unknown))


def write_file(path: Path, member: Member) -> None:
    free = shutil.disk_usage(settings.DATA_DIR).free
    if member.size > free:
        raise BackupFault(f"The backup needs {size(member.size)} for {member.name}, and only {size(free)} are free.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for chunk in member.chunks:
            file.write(chunk)


def check_secrets(manifest: Manifest, staging: Path) -> Report:
    report = Report()
    for name in SECRETS:
        if (staging / name).exists() and not read_secret(staging / name):
            raise Damaged(f"its {name} is empty or is not a text")
    if manifest.sealing_key != fingerprint(find_sealing_key(staging)):
        report.warnings.append(
            "The providers' keys were sealed with another SEALING_KEY. Set it as before, or enter those keys again."
        )
    return report


def find_sealing_key(staging: Path) -> str:
    """The key that the site will use: that of the environment or else that of the backup."""
    restored = staging / "sealing_key"
    is_from_backup = restored.exists() and not os.environ.get("SEALING_KEY")
    key: str = read_secret(restored) if is_from_backup else settings.SEALING_KEY
    return key


# ---------------------------------------------------------------- the database


class SavedRows:
    """The tables of an unpacked backup."""

    def __init__(self, directory: Path, saved: list[SavedTable]) -> None:
        self._directory = directory
        self._last_numbers = {table.name: table.last_number for table in saved}

    def read(self, table: Table) -> Iterator[bytes]:
        with (self._directory / table.name).open("rb") as file:
            yield from file

    def find_last_number(self, table: Table) -> int:
        return self._last_numbers[table.name]


@contextmanager
def open_saved(manifest: Manifest, staging: Path) -> Iterator[tuple[Reader, list[str], list[Table]]]:
    """Yields the rows of the backup, its migrations and its tables. Raises BackupFault."""
    if not manifest.tables:
        with open_sqlite(staging / WHOLE_DATABASE) as database:
            contents = examine(database)
            yield database, contents.migrations, contents.tables
        return
    tables = describe_tables(manifest.migrations)
    if [(table.name, table.names) for table in tables] != [(table.name, table.columns) for table in manifest.tables]:
        raise Damaged("its tables are not those of its migrations")
    rows = SavedRows(staging / TABLES, manifest.tables)
    for table, saved in zip(tables, manifest.tables, strict=True):
        check_rows(rows.read(table), Digest(table), saved)
    yield rows, manifest.migrations, tables


def check_uploads(reader: Reader, tables: list[Table], staging: Path, report: Report) -> None:
    """Counts the attached files, and warns about those that the backup lacks."""
    uploads = staging / UPLOADS
    report.files = sum(path.is_file() and not path.name.endswith(OTHER_FILES) for path in uploads.rglob("*"))
    try:
        missing = [stored for stored in list_uploads(reader, tables) if not (uploads / stored).exists()]
    except (ValueError, IndexError) as error:
        raise Damaged("its list of attached files cannot be read") from error
    report.warnings += [f"The backup lacks the file {stored}, which the database knows." for stored in missing]


def check_rows(lines: Iterator[bytes], digest: Digest, saved: SavedTable) -> None:
    for line in lines:
        if line.count(b"\t") != len(saved.columns) - 1:
            raise Damaged(f"a row of {saved.name} has not {len(saved.columns)} columns")
        digest.add(line)
    if (digest.rows, digest.value) != (saved.rows, saved.digest):
        raise Damaged(f"{saved.name} does not contain the {saved.rows:,} rows that were backed up")


# ---------------------------------------------------------------- placing


def place_files(staging: Path) -> None:
    uploads = staging / UPLOADS
    for path in sorted(path for path in uploads.rglob("*") if path.is_file()):
        with path.open("rb") as content:
            default_storage.save(str(path.relative_to(uploads)), Placed(content, str(path)))
    for name in SECRETS:
        if (staging / name).exists():
            replace_secret(staging / name, settings.DATA_DIR / name)


class Placed(File):  # type: ignore[type-arg]
    """A file that a folder takes over without a copy."""

    def temporary_file_path(self) -> str | None:
        return self.name


def replace_secret(new: Path, path: Path) -> None:
    """Keeps a secret that was there before: it may be needed to read another database."""
    if path.exists() and path not in created_secrets and path.read_bytes() != new.read_bytes():
        os.replace(path, path.with_name(path.name + REPLACED))
    os.replace(new, path)
