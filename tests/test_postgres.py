"""The site on a PostgreSQL server of its own, which stops and starts while people use it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.browser.site import Site
from tests.fakes import ModelServer
from tests.installation import Installation, until
from tests.pages import Page
from tests.postgres import PostgresServer

CONNECTIONS = 5
CROWD = 20
SOON = 5.0
"""Seconds within which the site works again, on a busy machine. A pool that finds its dead connections one by one
takes 15 seconds for five."""


class OnPostgres(Installation):
    """An installation with few connections to PostgreSQL."""

    def __init__(self, data: Path, server: ModelServer, database: PostgresServer) -> None:
        super().__init__(data, server)
        self.database = database

    def site_type(self, data: Path, **settings: str) -> Site:  # type: ignore[override]
        return Site(data, DATABASE_URL=self.database.url, DATABASE_CONNECTIONS=str(CONNECTIONS), **settings)

    def count_connections(self) -> int:
        with psycopg.connect(self.database.url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchone()
        assert row
        return int(row[0])

    def read_as_a_crowd(self) -> list[int]:
        """Returns the statuses of pages that many people read at the same time."""
        with ThreadPoolExecutor(CROWD) as crowd:
            return list(crowd.map(lambda _: self.http.get("/").status_code, range(CROWD)))


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
    assert 0 < installation.count_connections() <= CONNECTIONS


def test_no_request_fails_because_postgres_has_restarted(installation: OnPostgres, database: PostgresServer) -> None:
    assert set(installation.read_as_a_crowd()) == {200}
    until(lambda: installation.count_connections() == CONNECTIONS)
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
