"""What keeps a backup from being written or restored is a sentence, and no half of a site is left behind."""

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from chatsite.backups.archive import ArchiveWriter, read_members
from tests.backups.installations import fill, query, read_manifest, read_uploads
from tests.browser.site import PATIENCE, ROOT, environment, manage
from tests.installation import until


def rare(value: str) -> Any:
    return pytest.param(value, marks=pytest.mark.rare)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled site that no test changes."""
    data = tmp_path_factory.mktemp("site") / "data"
    fill(data)
    return data


@pytest.fixture(scope="module")
def archive(data: Path) -> bytes:
    path = data.parent / "chat.tar"
    assert back_up(data, path).returncode == 0
    return path.read_bytes()


def back_up(data: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return manage(data, "backup", str(path), SECRET_KEY="")


def restore(data: Path, path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return manage(data, "restore", str(path), **({"SECRET_KEY": ""} | settings))


def start(data: Path, *command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "manage.py", *command], cwd=ROOT, env=environment(data, 1, SECRET_KEY=""))


def rewrite(archive: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """The same backup with other content and right sums, as somebody with a text editor could make it."""
    file = io.BytesIO()
    writer = ArchiveWriter(file, 0)
    for member in read_members(io.BytesIO(archive)):
        content = change(member.name, b"".join(member.chunks))
        writer.add(member.name, len(content), [content])
    writer.finish()
    return file.getvalue()


def in_manifest(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    def change(name: str, content: bytes) -> bytes:
        return content.replace(old, new, 1) if name == "manifest.json" else content

    return change


def without_first_table(name: str, content: bytes) -> bytes:
    if name != "manifest.json":
        return content
    manifest = json.loads(content)
    del manifest["tables"][0]
    return json.dumps(manifest).encode()


def without_pages(content: bytes) -> bytes:
    """Overwrites the middle of a database."""
    middle = len(content) // 2
    return content[:middle] + b"\xff" * 50_000 + content[middle + 50_000 :]


def in_file(wanted: str, new: bytes) -> Callable[[str, bytes], bytes]:
    return lambda name, content: new if name == wanted else content


def with_rows(table: str, lines: bytes) -> Callable[[str, bytes], bytes]:
    """Replaces the rows of a table, and adapts the manifest so that they are those that were backed up."""

    def change(name: str, content: bytes) -> bytes:
        if name == "manifest.json":
            manifest = json.loads(content)
            [saved] = [each for each in manifest["tables"] if each["name"] == table]
            saved |= {"rows": lines.count(b"\n"), "digest": sha256(lines).hexdigest()}
            return json.dumps(manifest).encode()
        return lines if name == f"tables/{table}" else content

    return change


REFUSED = {
    "a number that no database can count to": (
        in_manifest(b'"last_number": 1', b'"last_number": 1' + b"0" * 30),
        "SQLite refused a row of",
    ),
    "a row with a huge number": (
        with_rows("django_content_type", b"chat\t1" + b"0" * 30 + b"\ttea\n"),
        "SQLite refused a row of django_content_type",
    ),
    "a row with a column too few": (with_rows("tools_toolserver", b"1\n"), "a row of tools_toolserver has not 1"),
    "a row with a column too many": (
        with_rows("django_content_type", b"chat\t1\ttea\tcup\n"),
        "a row of django_content_type has not 3 columns",
    ),
    "migrations that are no list": (
        in_manifest(b'"migrations": [', b'"migrations": 5, "more": ['),
        "manifest cannot be",
    ),
    "a migration that is no text": (in_manifest(b'"migrations": [', b'"migrations": [{},'), "manifest cannot be read"),
    "a version that is no text": (in_manifest(b'"version": "', b'"version": 1, "x": "'), "manifest cannot be read"),
    "a version with escapes": (in_manifest(b'"version": "', b'"version": "\\u001b[2J'), "manifest cannot be read"),
    "a sealing key that is no text": (in_file("sealing_key", b"\xff\xfe"), "its sealing_key is empty or is not a text"),
    "an empty secret key": (in_file("secret_key", b"\n"), "its secret_key is empty or is not a text"),
    "a later format": (in_manifest(b'"format": 2', b'"format": 3'), "its format is 3"),
    "no tables": (in_manifest(b'"tables": [', b'"tables": [], "more": ['), "manifest cannot be read"),
    "a table that is no table": (in_manifest(b'"tables": [', b'"tables": [5,'), "manifest cannot be read"),
    "another table": (in_manifest(b'"name": "accounts_user"', b'"name": "accounts_users"'), "no part of a site"),
    "a table too few": (without_first_table, "no part of a site"),
    "other columns": (in_manifest(b'"is_superuser"', b'"is_emperor"'), "not those of its migrations"),
    "fewer rows than counted": (in_file("tables/accounts_user", b""), "accounts_user does not contain the 1 rows"),
    "a newer schema": (in_manifest(b'"tools.0001_initial"', b'"tools.0999_later"'), "migration tools.0999_later"),
    "no manifest": (lambda name, content: b"[]" if name == "manifest.json" else content, "its manifest cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_backup_that_does_not_fit_is_refused_and_leaves_nothing(archive: bytes, tmp_path: Path, case: str) -> None:
    change, reason = REFUSED[case]
    backup = tmp_path / "chat.tar"
    backup.write_bytes(rewrite(archive, change))
    refuse(tmp_path / "restored", backup, reason)


@pytest.mark.parametrize("place", [0.001, 0.999])
def test_a_damaged_or_cut_backup_is_refused_and_leaves_nothing(archive: bytes, tmp_path: Path, place: float) -> None:
    backup, at = tmp_path / "chat.tar", int(len(archive) * place)
    backup.write_bytes(archive[:at] + bytes([archive[at] ^ 1]) + archive[at + 1 :])
    refuse(tmp_path / "restored", backup, "The backup cannot be used")
    backup.write_bytes(archive[:at])
    refuse(tmp_path / "restored", backup, "The backup cannot be used")


def refuse(data: Path, backup: Path, reason: str) -> None:
    refusal = restore(data, backup)
    assert refusal.returncode == 1
    assert reason in refusal.stderr
    assert len(refusal.stderr.strip().splitlines()) == 1
    assert {path.name for path in data.iterdir()} <= {"lock", "secret_key", "sealing_key"}


def test_a_place_that_is_not_empty_is_refused(archive: bytes, data: Path, tmp_path: Path) -> None:
    backup, place = tmp_path / "chat.tar", tmp_path / "restored"
    backup.write_bytes(archive)
    assert "is not empty" in restore(data, backup).stderr
    for name in ("uploads/attachments/x", "uploads/y", "notes.txt", "db.sqlite3"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("mine")
        assert "is not empty" in restore(place, backup).stderr
        assert (place / name).read_text() == "mine"
        (place / name).unlink()
        shutil.rmtree(place / "uploads", ignore_errors=True)
    assert restore(place, backup).returncode == 0
    assert read_uploads(place) == read_uploads(data)


def test_a_file_that_the_database_knows_is_missed_by_name(data: Path, tmp_path: Path) -> None:
    broken, backup = tmp_path / "broken", tmp_path / "chat.tar"
    shutil.copytree(data, broken)
    gone, cut, *_ = sorted((broken / "uploads" / "attachments").glob("*/*[0-9]"))
    gone.unlink()
    os.truncate(cut, 100)
    done = back_up(broken, backup)
    assert done.returncode == 0
    assert f"{gone} is missing, although the database knows it." in done.stderr
    assert f"{cut} has 100 bytes instead of" in done.stderr
    done = restore(tmp_path / "restored", backup)
    assert (done.returncode, gone.name in done.stderr) == (0, True)


def test_a_key_from_the_environment_is_missed_by_name(data: Path, tmp_path: Path) -> None:
    copy, backup = tmp_path / "copy", tmp_path / "chat.tar"
    shutil.copytree(data, copy)
    key = (copy / "sealing_key").read_text().strip()
    (copy / "sealing_key").unlink()
    done = manage(copy, "backup", str(backup), SECRET_KEY="", SEALING_KEY=key)
    assert "SEALING_KEY comes from the environment and is not in the backup" in done.stderr
    assert "sealed with another SEALING_KEY" in restore(tmp_path / "without", backup).stderr
    assert restore(tmp_path / "with", backup, SEALING_KEY=key).stderr == ""


def test_a_secret_that_was_there_is_kept(archive: bytes, tmp_path: Path) -> None:
    backup, place = tmp_path / "chat.tar", tmp_path / "restored"
    backup.write_bytes(archive)
    place.mkdir()
    (place / "sealing_key").write_text("of another database")
    assert restore(place, backup).returncode == 0
    assert (place / "sealing_key.replaced").read_text() == "of another database"
    assert (place / "sealing_key").read_text() != "of another database"


def test_a_damaged_database_is_not_backed_up(data: Path, tmp_path: Path) -> None:
    broken, backup = tmp_path / "broken", tmp_path / "chat.tar"
    shutil.copytree(data, broken)
    database = broken / "db.sqlite3"
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.write_bytes(without_pages(database.read_bytes()))
    done = back_up(broken, backup)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "The database is damaged" in done.stderr
    assert list(tmp_path.iterdir()) == [broken]


@pytest.mark.parametrize("blocks", [100, 5_000], ids=["in the database", "in the files"])
def test_a_full_disk_is_a_sentence_and_leaves_the_last_backup(
    data: Path, archive: bytes, tmp_path: Path, blocks: int
) -> None:
    """`blocks` is the size at which the system refuses to write more to a file, in 512 bytes."""
    backup, place = tmp_path / "chat.tar", tmp_path / "restored"
    backup.write_bytes(b"the last one")
    for into, command in ((data, f"backup {backup}"), (place, f"restore {data.parent / 'chat.tar'}")):
        limited = f"ulimit -f {blocks}; exec {sys.executable} manage.py {command}"
        done = subprocess.run(
            ["sh", "-c", limited], cwd=ROOT, env=environment(into, 1, SECRET_KEY=""), capture_output=True, text=True
        )
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert backup.read_bytes() == b"the last one"
    assert {path.name for path in tmp_path.iterdir()} == {"chat.tar", "restored"}
    assert {path.name for path in place.iterdir()} <= {"lock", "secret_key", "sealing_key"}


def await_path(path: Path, process: "subprocess.Popen[bytes]") -> None:
    until(lambda: path.exists() or process.poll() is not None, PATIENCE)


@pytest.mark.parametrize("file", [rare("accounts_apikey"), rare("upstreams_provider"), "archive"])
def test_a_killed_backup_leaves_the_last_one_and_does_not_hinder_the_next(
    data: Path, tmp_path: Path, file: str
) -> None:
    backup = tmp_path / "chat.tar"
    backup.write_bytes(b"the last one")
    process = start(data, "backup", str(backup))
    await_path(tmp_path / ".chat.tar.partial" / file, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert backup.read_bytes() == b"the last one" or len(list(read_members(backup.open("rb")))) > 6
    assert back_up(data, backup).returncode == 0
    assert list(tmp_path.iterdir()) == [backup]


@pytest.mark.parametrize("file", [rare(".restoring/uploads"), rare("uploads"), ".restoring/filling.sqlite3"])
def test_a_killed_restore_is_never_taken_for_a_site(data: Path, archive: bytes, tmp_path: Path, file: str) -> None:
    place, backup = tmp_path / "restored", data.parent / "chat.tar"
    process = start(place, "restore", str(backup))
    await_path(place / file, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if (place / ".restoring").exists():
        refusal = manage(place, "serve", SECRET_KEY="")
        assert refusal.returncode == 1
        assert "did not finish. Restore again" in refusal.stderr
        if (place / "uploads").exists():
            assert "is not empty" in restore(place, backup).stderr
            shutil.rmtree(place)
        assert restore(place, backup).returncode == 0
    assert read_uploads(place) == read_uploads(data)
    assert query(place, "SELECT * FROM conversations_attachment") == query(
        data, "SELECT * FROM conversations_attachment"
    )


def test_two_backups_to_one_file_do_not_meet(data: Path, tmp_path: Path) -> None:
    backup = tmp_path / "chat.tar"
    first = start(data, "backup", str(backup))
    await_path(tmp_path / ".chat.tar.partial", first)
    first.send_signal(signal.SIGSTOP)
    second = back_up(data, backup)
    assert (second.returncode, "Another backup is being written" in second.stderr) == (1, True)
    first.send_signal(signal.SIGCONT)
    assert first.wait() == 0
    assert read_manifest(backup.read_bytes())["format"] == 2
