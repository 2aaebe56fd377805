"""A real site shows a reference where it fails, and an administrator finds the error by it."""

import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.fakes import ModelServer
from tests.installation import Installation, until
from tests.pages import HTMX, words


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer("anthropic") as running:
        yield running


@pytest.fixture
def installation(tmp_path: Path, server: ModelServer) -> Iterator[Installation]:
    with Installation(tmp_path, server) as running:
        yield running


@contextmanager
def without_table(installation: Installation, name: str) -> Iterator[None]:
    def rename(before: str, after: str) -> None:
        with closing(sqlite3.connect(installation.data / "db.sqlite3", timeout=20)) as database, database:
            database.execute(f"ALTER TABLE {before} RENAME TO {after}")

    rename(name, "away")
    try:
        yield
    finally:
        rename("away", name)


def assert_shows_reference(answer: httpx.Response) -> str:
    id = answer.headers["x-request-id"]
    assert answer.status_code == 500 and f">{id}</code>" in answer.text
    return id


def find(installation: Installation, reference: str) -> str:
    def search() -> str:
        return "".join(words(row) for row in installation.page(f"/settings/errors/?reference={reference}").find("tr"))

    until(search)
    return search()


def test_an_error_is_found_by_the_reference_of_its_page(installation: Installation) -> None:
    # Without sessions, no page can find out who asks.
    with without_table(installation, "django_session"):
        ids = [assert_shows_reference(installation.http.get("/")) for _ in range(3)]
        toast = installation.http.get("/", headers=HTMX)
        ids.append(assert_shows_reference(toast))
        assert toast.headers["hx-retarget"] == "#toasts"
    for id in ids:
        found = find(installation, id)
        assert "OperationalError: no such table: django_session" in found
        assert installation.site and installation.site.has_printed(id)
    assert "Internal Server Error" in found


def test_errors_are_counted_together_and_stay_after_a_restart(installation: Installation) -> None:
    with without_table(installation, "django_session"):
        last = [installation.http.get("/") for _ in range(50)][-1].headers["x-request-id"]
    # The last act of the process is to save them.
    assert installation.end(signal.SIGTERM) == 0
    installation.start()
    assert " 50 " in find(installation, last)


def test_errors_are_saved_once_the_database_can_be_written(installation: Installation) -> None:
    with without_table(installation, "django_session"):
        database = sqlite3.connect(installation.data / "db.sqlite3", timeout=20)
        with closing(database):
            database.execute("BEGIN IMMEDIATE")
            id = assert_shows_reference(installation.http.get("/"))
            # The attempt to save them waits for ten seconds and fails.
            assert installation.site
            installation.site.await_line("Saving what was logged as an error is failing")
            database.rollback()
    assert find(installation, id)


def test_an_error_page_has_its_style_and_the_traceback_of_an_error_page_is_kept(installation: Installation) -> None:
    with without_table(installation, "django_session"):
        # The page for a missing address needs the session.
        answer = installation.http.get("/nowhere/")
    reference = assert_shows_reference(answer)
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text)
    assert len(files) == 6
    assert [installation.http.get(file).status_code for file in files] == [200] * 6
    assert "OperationalError: no such table: django_session" in find(installation, reference)
