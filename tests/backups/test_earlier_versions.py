"""Data and backups of earlier versions are restored into either database, and migrated at the next start."""

import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatsite.backups.archive import ArchiveWriter
from tests.browser.site import Site, manage
from tests.pages import Page
from tests.postgres import PostgresServer
from tests.upgrades.test_migrating import FILE_KEY, SEALING_KEY, VERSIONS, list_attachments, read_branches, sign_in

pytestmark = pytest.mark.rare


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=VERSIONS, ids=lambda path: path.stem)
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    with closing(sqlite3.connect(data / "db.sqlite3")) as database:
        database.executescript(request.param.read_text())
    for (stored,) in list_attachments(data):
        path = data / "uploads" / stored
        path.parent.mkdir(parents=True)
        path.write_text("Baikal: 1642 metres")
    return data


def check_site(data: Path, *, has_file: bool, **settings: str) -> None:
    with Site(data, SEALING_KEY=SEALING_KEY, **settings) as site:
        assert site.await_line("Updated the database")
        with closing(sign_in(site, "ada")) as ada, closing(sign_in(site, "ben")) as ben:
            assert len({*read_branches(ada), *read_branches(ben)}) == 2
            for address in ("/settings/usage/", "/settings/providers/1/", "/settings/models/1/", "/admin/"):
                assert ada.get(address).status_code == 200, address
            if has_file:
                assert ben.get(f"/attachments/{FILE_KEY}/").text == "Baikal: 1642 metres"
                assert len(ben.get("/account/usage/calls.csv").text.splitlines()) == 3
            posted = ada.post(
                "/turns/", data={"text": "And the longest?"}, headers={"x-csrftoken": ada.cookies["csrftoken"]}
            )
            assert Page(posted.text).title == "And the longest?"


def test_a_site_of_an_earlier_version_moves_to_postgres(data: Path, postgres: PostgresServer) -> None:
    url = postgres.create_database()
    moved = manage(data, "move", url)
    assert (moved.returncode, moved.stderr) == (0, "")
    check_site(data, has_file=bool(list_attachments(data)), DATABASE_URL=url)


def make_old_backup(data: Path, vendor: str = "sqlite") -> bytes:
    """A backup in the format of earlier versions, which contains the file of the database."""
    with closing(sqlite3.connect(data / "db.sqlite3")) as database:
        applied = database.execute("SELECT app, name FROM django_migrations").fetchall()
    manifest = {
        "format": 1,
        "version": "0.1.0",
        "made_at": "2026-11-27T10:00:00+00:00",
        "database": vendor,
        "migrations": sorted(f"{app}.{name}" for app, name in applied),
        "sealing_key": "0123456789abcdef",
    }
    members = {"manifest.json": json.dumps(manifest).encode(), "database": (data / "db.sqlite3").read_bytes()}
    uploads = sorted(path for path in (data / "uploads").rglob("*") if path.is_file())
    members |= {str(path.relative_to(data)): path.read_bytes() for path in uploads}
    file = io.BytesIO()
    writer = ArchiveWriter(file, 1_700_000_000)
    for name, content in members.items():
        writer.add(name, len(content), [content])
    writer.finish()
    return file.getvalue()


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_a_backup_of_an_earlier_version_is_restored(
    data: Path, postgres: PostgresServer, tmp_path: Path, vendor: str
) -> None:
    backup, place = tmp_path / "chat.tar", tmp_path / "restored"
    backup.write_bytes(make_old_backup(data))
    settings = {"DATABASE_URL": postgres.create_database()} if vendor == "postgresql" else {}
    done = manage(place, "restore", str(backup), **settings)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert "sealed with another SEALING_KEY" in done.stderr
    check_site(place, has_file=bool(list_attachments(data)), **settings)


def test_a_backup_of_pg_dump_is_refused_with_what_to_do(data: Path, tmp_path: Path) -> None:
    backup = tmp_path / "chat.tar"
    backup.write_bytes(make_old_backup(data, "postgresql"))
    refusal = manage(tmp_path / "restored", "restore", str(backup))
    assert refusal.returncode == 1
    assert "An earlier version made this backup with pg_dump. Unpack it with `tar -xf`" in refusal.stderr


def test_a_database_that_nobody_has_migrated_yet_is_backed_up(
    data: Path, postgres: PostgresServer, tmp_path: Path
) -> None:
    """The new version's code is there, and the operator makes a backup before the first start."""
    backup, place = tmp_path / "chat.tar", tmp_path / "restored"
    settings = {"DATABASE_URL": postgres.create_database()}
    assert manage(data, "backup", str(backup)).returncode == 0
    assert manage(place, "restore", str(backup), **settings).returncode == 0
    check_site(place, has_file=bool(list_attachments(data)), **settings)
