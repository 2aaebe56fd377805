"""Processes that are signalled at odd moments, and answers that wait while nobody can write them."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser.site import Site
from tests.cluster.cluster import PATIENCE, Cluster, Person, Worker, signed_in
from tests.cluster.storyteller import LONG, story
from tests.installation import until
from tests.postgres import PostgresServer
from tests.redis_server import RedisServer

GRACE = 100
"""Seconds: longer than a test waits."""


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, redis: RedisServer
) -> Iterator[Cluster]:
    data = Path(tmp_path_factory.mktemp("signals") / "data")
    with Cluster(data, postgres, redis, SHUTDOWN_GRACE=str(GRACE)) as started:
        started.start(Site, SERVE_ANSWERS="false")
        yield started


@pytest.fixture
def person(cluster: Cluster) -> Iterator[Person]:
    with signed_in(cluster.processes[0].url) as somebody:
        yield somebody


@contextmanager
def worker_of(cluster: Cluster) -> Iterator[Worker]:
    worker = Worker(cluster.data, **cluster.settings)
    with worker:
        yield worker
        worker.process.kill()


def has(cluster: Cluster, question: str, state: str, words: int = 0) -> bool:
    found, text, _ = cluster.read_answers().get(question, ("", "", []))
    return found == state and len(text.split()) >= words


def test_answers_wait_for_a_worker_and_a_second_signal_ends_the_grace(cluster: Cluster, person: Person) -> None:
    models = sorted(person.find_models().values())
    question = f"Story 1, {LONG} words"
    person.ask(question, models[0])
    assert has(cluster, question, "queued")
    with worker_of(cluster) as first, worker_of(cluster) as second:
        until(lambda: has(cluster, question, "running", LONG // 2), PATIENCE)
        [(owner,)] = cluster.query("SELECT process FROM conversations_generation")
        begun = time.monotonic()
        for worker in (first, second):
            worker.process.send_signal(signal.SIGTERM)
        # The one without answers ends; the other waits for its answer.
        until(lambda: [first.process.poll(), second.process.poll()].count(0) == 1, PATIENCE)
        [waiting] = [worker for worker in (first, second) if worker.process.poll() is None]
        waiting.process.send_signal(signal.SIGTERM)
        assert waiting.process.wait(PATIENCE) == 0
        assert time.monotonic() - begun < GRACE
        assert has(cluster, question, "queued", LONG // 2)
        assert not any("Traceback" in line for worker in (first, second) for line in worker.console)
    assert cluster.query("SELECT count(*) FROM chatsite_process") == [(1,)]
    # Nobody is left to write. A later question waits as well.
    later = "Story 2, 3 words"
    person.ask(later, models[1])
    for teller in cluster.tellers:
        teller.middle.open()
    with worker_of(cluster):
        until(lambda: has(cluster, question, "complete") and has(cluster, later, "complete"), PATIENCE)
    answers = cluster.read_answers()
    assert (answers[question][1], answers[later][1]) == (story(1, LONG), story(2, 3))
    [(claims, last)] = cluster.query("SELECT claims, process FROM conversations_generation WHERE id = 1")
    assert (claims, last != owner) == (2, True)
