"""A backup of a site in use, restored elsewhere, is a whole site."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tests.backups.installations import (
    SETTINGS,
    UPSTREAM_KEY,
    SignedIn,
    fill,
    query,
    read_uploads,
    read_upstream_key,
)
from tests.browser.site import ROOT, Site, environment, manage
from tests.files import image
from tests.postgres import PostgresServer


class Crowd:
    """Posts messages and attaches files without a pause until it is stopped."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.posted: list[str] = []
        """Texts that the site has accepted."""
        self._is_over = threading.Event()
        self._has_posted = threading.Condition()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def await_posts(self, count: int) -> None:
        with self._has_posted:
            assert self._has_posted.wait_for(lambda: len(self.posted) >= count, timeout=60)

    def _work(self, worker: int) -> None:
        with SignedIn(self.site) as browser:
            number = 0
            while not self._is_over.is_set():
                number += 1
                key = browser.attach(f"{worker}-{number}.png", image(colour=(worker, number % 256, 0)))
                text = f"Message {worker}-{number}"
                if browser.post("/turns/", data={"text": text, "attached": [key]}).status_code in (201, 302):
                    with self._has_posted:
                        self.posted.append(text)
                        self._has_posted.notify_all()


def list_texts(data: Path) -> set[str]:
    rows = [json.loads(blocks) for (blocks,) in query(data, "SELECT blocks FROM conversations_message")]
    return {block["text"] for blocks in rows for block in blocks if block["type"] == "text"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    fill(tmp_path / "data")
    return tmp_path / "data"


def test_a_backup_of_a_writing_site_restores_to_a_whole_site(data: Path, tmp_path: Path) -> None:
    backup, restored = tmp_path / "chat.tar", tmp_path / "restored"
    with Site(data, **SETTINGS) as site:
        crowd = Crowd(site)
        with crowd.at_work():
            for count in (3, 6):
                crowd.await_posts(count)
                known = set(crowd.posted)
                done = manage(data, "backup", str(backup), SECRET_KEY="")
                assert (done.returncode, done.stderr) == (0, "")
    assert backup.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []

    done = manage(restored, "restore", str(backup), SECRET_KEY="")
    assert (done.returncode, done.stderr) == (0, "")
    assert query(restored, "PRAGMA integrity_check") == [("ok",)]
    assert known <= list_texts(restored)
    assert query(restored, "SELECT count(*) FROM conversations_attachment WHERE message_id IS NOT NULL") >= [(5,)]
    stored = read_uploads(restored)
    assert {name for (name,) in query(restored, "SELECT stored FROM conversations_attachment")} <= set(stored)
    assert stored.items() <= read_uploads(data).items()
    assert read_upstream_key(restored) == UPSTREAM_KEY
    with Site(restored, **SETTINGS) as site, SignedIn(site) as browser:
        for (key,) in query(restored, "SELECT uuid FROM conversations_attachment"):
            assert browser.http.get(f"/attachments/{UUID(key)}/").status_code == 200
        for (pk,) in query(restored, "SELECT id FROM conversations_conversation"):
            assert browser.http.get(f"/conversations/{pk}/").status_code == 200


def test_a_backup_of_a_writing_site_on_postgres_is_of_one_moment(tmp_path: Path) -> None:
    data, backup, restored = tmp_path / "data", tmp_path / "chat.tar", tmp_path / "restored"
    with PostgresServer() as server:
        one, other = ({"DATABASE_URL": server.create_database()} for _ in range(2))
        fill(data, **one)
        with Site(data, **SETTINGS, **one) as site:
            crowd = Crowd(site)
            with crowd.at_work():
                crowd.await_posts(3)
                known = set(crowd.posted)
                done = manage(data, "backup", str(backup), SECRET_KEY="", **one)
                assert (done.returncode, done.stderr) == (0, "")
        # The database refuses rows that refer to others which are missing.
        done = manage(restored, "restore", str(backup), SECRET_KEY="", **other)
        assert (done.returncode, done.stderr) == (0, "")
        with psycopg.connect(other["DATABASE_URL"]) as database:
            messages = database.execute("SELECT blocks FROM conversations_message").fetchall()
            files = database.execute("SELECT stored, uuid FROM conversations_attachment").fetchall()
            conversations = database.execute("SELECT id FROM conversations_conversation").fetchall()
        assert known <= {block["text"] for (blocks,) in messages for block in blocks if block["type"] == "text"}
        assert {stored for stored, _ in files} <= set(read_uploads(restored))
        assert read_upstream_key(restored, **other) == UPSTREAM_KEY
        with Site(restored, **SETTINGS, **other) as site, SignedIn(site) as browser:
            for _, key in files:
                assert browser.http.get(f"/attachments/{key}/").status_code == 200
            for (pk,) in conversations:
                assert browser.http.get(f"/conversations/{pk}/").status_code == 200
            assert browser.post("/turns/", data={"text": "One more"}).status_code in (201, 302)


def test_a_backup_can_pass_through_a_pipe(data: Path, tmp_path: Path) -> None:
    restored = tmp_path / "restored"
    command = [sys.executable, "manage.py"]
    reading, writing = (environment(place, 1, SECRET_KEY="") for place in (data, restored))
    backup = subprocess.run([*command, "backup", "-"], cwd=ROOT, env=reading, stdout=subprocess.PIPE, check=True)
    subprocess.run([*command, "restore", "-"], cwd=ROOT, env=writing, input=backup.stdout, check=True)
    assert read_uploads(restored) == read_uploads(data)
    assert query(restored, "SELECT * FROM conversations_attachment") == query(
        data, "SELECT * FROM conversations_attachment"
    )
