"""Load balancers and supervisors learn whether a process is alive and ready, and cannot burden it."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from chatsite.monitoring import inquiry, readiness
from chatsite.monitoring.readiness import OK, Findings, Readiness
from chatsite.process import draining
from tests.browser.site import Site
from tests.installation import until
from tests.redis_server import RedisServer

PROBES = ("/healthz", "/readyz", "/healthz/", "/readyz/")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, HTTPS="true", BEHIND_PROXY="true") as running:
        yield running


def probe(site: Site, path: str = "/readyz", **headers: str) -> httpx.Response:
    return httpx.get(site.url + path, headers=headers)


def run_sql(site: Site, statement: str) -> list[Any]:
    with closing(sqlite3.connect(site.data / "db.sqlite3")) as database, database:
        return database.execute(statement).fetchall()


def test_probes_are_free_of_hosts_redirects_and_sessions(site: Site) -> None:
    for path in PROBES:
        answer = probe(site, path, host="10.0.0.7:8000")
        assert (answer.status_code, answer.headers.get("set-cookie")) == (200, None), path
        assert "no-store" in answer.headers["cache-control"]
        assert "camera=()" in answer.headers["permissions-policy"]
        head = httpx.head(site.url + path)
        assert (head.status_code, head.content) == (200, b"")
        assert httpx.post(site.url + path).status_code == 405
    assert probe(site, "/healthz").text == "ok\n"


def test_readiness_names_each_check(site: Site) -> None:
    names = {"database", "migrations", "lease", "upkeep", "draining"}
    assert probe(site).json() == {"status": "ready", "checks": dict.fromkeys(names, OK)}


def test_a_process_is_not_ready_while_migrations_are_pending(site: Site) -> None:
    app, name, applied = run_sql(site, "SELECT app, name, applied FROM django_migrations ORDER BY id DESC LIMIT 1")[0]
    run_sql(site, f"DELETE FROM django_migrations WHERE app = '{app}' AND name = '{name}'")
    answer = probe(site)
    assert (answer.status_code, answer.json()["checks"]["migrations"]) == (503, "pending")
    run_sql(site, f"INSERT INTO django_migrations (app, name, applied) VALUES ('{app}', '{name}', '{applied}')")
    until(lambda: probe(site).status_code == 200)


def test_a_process_that_was_taken_for_dead_is_not_ready(site: Site) -> None:
    run_sql(site, "DELETE FROM chatsite_process")
    answer = probe(site)
    assert (answer.status_code, answer.json()["checks"]["lease"]) == (503, "this process does not hold one")


def test_a_process_without_redis_is_not_ready_until_it_is_back(tmp_path: Path) -> None:
    server = RedisServer()
    try:
        with Site(tmp_path, REDIS_URL=server.url) as site:
            until(lambda: probe(site).status_code == 200)
            assert probe(site).json()["checks"]["redis"] == OK
            server.kill()
            until(lambda: probe(site).json()["checks"]["redis"] == "unreachable")
            assert probe(site).status_code == 503
            server.start()
            until(lambda: probe(site).status_code == 200)
    finally:
        server.kill()


async def test_a_process_that_drains_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "_is_draining", False)
    process = Hanging()
    process.go_on.set()
    assert (await process.check())["draining"] == OK
    draining.drain()
    # At once, although the database's answer is reused.
    assert (await process.check())["draining"] != OK
    assert process.questions == 1


class Hanging(Readiness):
    """A process whose database answers only after `go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.questions, self.go_on = 0, threading.Event()

    def _look(self) -> Findings:
        self.questions += 1
        self.go_on.wait()
        return {"database": OK}


async def test_a_crowd_of_probes_asks_the_database_once() -> None:
    process = Hanging()
    crowd = [asyncio.create_task(process.check()) for _ in range(500)]
    await asyncio.sleep(0)
    process.go_on.set()
    assert {(await each)["database"] for each in crowd} == {OK}
    assert (await process.check())["database"] == OK
    assert process.questions == 1


async def test_a_probe_that_is_given_up_does_not_end_the_others() -> None:
    process = Hanging()
    impatient, patient = (asyncio.create_task(process.check()) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    process.go_on.set()
    assert (await patient)["database"] == OK


async def test_a_database_that_hangs_is_named_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquiry, "LIMIT", 0.05)
    monkeypatch.setattr(readiness, "REUSED_FOR", 0)
    process = Hanging()
    for _ in range(3):
        findings = await process.check()
        assert findings["database"] == "no answer within 0.05 seconds"
        assert findings["migrations"] == "unknown"
    assert process.questions == 1
    process.go_on.set()
    async with asyncio.timeout(10):
        while (await process.check())["database"] != OK:
            pass
