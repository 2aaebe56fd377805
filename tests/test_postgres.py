"""The site on a PostgreSQL server of its own, which stops and starts while people use it."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from tests.browser.site import Site, environment, free_port
from tests.fakes import ModelServer
from tests.installation import Installation, until
from tests.pages import Page
from tests.postgres import PostgresServer

CONNECTIONS = 5
OUTSIDE = 2
"""Connections outside the pool: one saves answers, and one shows that the process is alive."""
CROWD = 20
SOON = 5.0
"""Seconds within which the site works again, on a busy machine. A pool that finds its dead connections one by one
takes 15 seconds for five."""
UNTIDY = 15.0
"""Seconds, fewer than the threads of a pool take to end that nobody has closed."""


class OnPostgres(Installation):
    """An installation with few connections to PostgreSQL."""

    def __init__(self, data: Path, server: ModelServer, database: PostgresServer) -> None:
        super().__init__(data, server)
        self.database = database

    def site_type(self, data: Path, **settings: str) -> Site:  # type: ignore[override]
        return Site(data, DATABASE_URL=self.database.url, DATABASE_CONNECTIONS=str(CONNECTIONS), **settings)

    def count_connections(self) -> int:
        return self._count("backend_type = 'client backend'")

    def count_waiting_queries(self) -> int:
        """Returns how many queries wait for a lock."""
        return self._count("wait_event_type = 'Lock'")

    def count_beats(self) -> int:
        """Returns how often the latest process has shown that it is alive."""
        with psycopg.connect(self.database.url) as connection:
            return int(connection.execute("SELECT beat FROM chatsite_process ORDER BY id DESC").fetchone()[0])

    def _count(self, condition: LiteralString) -> int:
        """Counts the connections to the database, without the one that counts."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
        with psycopg.connect(self.database.url) as connection:
            return int(connection.execute(query + condition).fetchone()[0])

    def read_as_a_crowd(self, address: str = "/") -> list[int]:
        """Returns the statuses of pages that many people read at the same time."""
        with ThreadPoolExecutor(CROWD) as crowd:
            return list(crowd.map(lambda _: self.http.get(address).status_code, range(CROWD)))

    def count_borrowed_connections(self) -> int:
        """Returns how many connections of the pool are in use."""
        metrics = self.http.get("/metrics").text
        size, available = (
            float(re.search(rf"^chatsite_database_pool_{name} (.*)$", metrics, re.MULTILINE)[1])
            for name in ("size", "available")
        )
        return int(size - available)


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def installation(tmp_path: Path, server: ModelServer, database: PostgresServer) -> Iterator[OnPostgres]:
    with OnPostgres(tmp_path, server, database) as running:
        yield running


def read_last_message(page: Page) -> str:
    last = page.find("article[data-state]")[-1]
    assert last.get("data-state") == "complete"
    return str(last.text_content())


def test_a_crowd_shares_the_connections(installation: OnPostgres) -> None:
    assert installation.read_as_a_crowd() == [200] * CROWD
    assert 0 < installation.count_connections() <= CONNECTIONS + OUTSIDE


@pytest.mark.parametrize(("address", "status"), [("/", 200), ("/nowhere/", 404), ("/static/nowhere.css", 404)])
def test_each_request_returns_its_connection(installation: OnPostgres, address: str, status: int) -> None:
    for _ in range(3):
        assert installation.read_as_a_crowd(address) == [status] * CROWD
    # The process counts its unfinished answers for the metrics.
    until(lambda: installation.count_borrowed_connections() <= 1)


def test_a_process_shows_that_it_is_alive_while_requests_have_taken_the_whole_pool(
    installation: OnPostgres, database: PostgresServer
) -> None:
    with ThreadPoolExecutor() as elsewhere:
        with psycopg.connect(database.url) as other:
            other.execute("LOCK TABLE django_session")
            statuses = elsewhere.submit(installation.read_as_a_crowd)
            until(lambda: installation.count_waiting_queries() == CONNECTIONS)
            begun = installation.count_beats()
            until(lambda: installation.count_beats() > begun + 2)
            assert installation.count_waiting_queries() == CONNECTIONS
        assert set(statuses.result()) <= {200, 503}
    assert installation.http.get("/").status_code == 200


def test_a_script_ends_at_once_with_its_pool_open(installation: OnPostgres, database: PostgresServer) -> None:
    begun = time.monotonic()
    code = "import django; django.setup(); from accounts.models import User; print(User.objects.count())"
    settings = environment(installation.data, free_port(), DATABASE_URL=database.url)
    script = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True)
    assert (script.stdout, script.stderr) == ("1\n", "")
    assert time.monotonic() - begun < UNTIDY


def test_no_request_fails_because_postgres_has_restarted(installation: OnPostgres, database: PostgresServer) -> None:
    assert set(installation.read_as_a_crowd()) == {200}
    until(lambda: installation.count_connections() == CONNECTIONS + OUTSIDE)
    database.stop()
    database.start()
    begun = time.monotonic()
    assert installation.http.get("/").status_code == 200
    assert time.monotonic() - begun < SOON
    assert set(installation.read_as_a_crowd()) == {200}


def test_an_answer_goes_on_after_postgres_was_away(
    installation: OnPostgres, database: PostgresServer, server: ModelServer
) -> None:
    server.say("One ", "two ", "three.")
    server.hold()
    address = installation.ask()
    server.step()
    article = "article[data-state=running]"
    until(lambda: "One" in installation.page(address).one(article).text_content())
    database.stop()
    server.release()
    # Longer than the first attempts of the pool to connect.
    assert installation.http.get("/").status_code == 503
    database.start()
    begun = time.monotonic()
    assert installation.http.get("/").status_code == 200
    assert time.monotonic() - begun < SOON
    assert "One two three." in read_last_message(installation.until_settled(address))
    # A new turn is queued, answered and saved.
    assert "One two three." in read_last_message(installation.until_settled(installation.ask()))
