"""Redis or PostgreSQL is away or hangs for a while: answers go on, and tabs at all processes show them whole."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.site import Site
from tests.cluster.cluster import PATIENCE, Cluster, Person, signed_in
from tests.cluster.listener import Listener
from tests.cluster.storyteller import LONG, story
from tests.installation import until
from tests.postgres import PostgresServer
from tests.redis_server import RedisServer

HEARD_AT_ONCE = 5.0
"""Seconds in which a stop reaches a process that hears of it from the database alone."""


@dataclass
class Place:
    """Two web processes, of which the first writes all answers, and the services that only they use."""

    cluster: Cluster
    redis: RedisServer
    postgres: PostgresServer
    people: list[Person]
    models: list[str]
    """The keys of the models, in the order of the cluster's tellers."""
    number: int = 0

    def ask(self) -> tuple[str, str]:
        """Asks for a long story. Returns its question and the address of the conversation."""
        self.number += 1
        question = f"Story {self.number}, {LONG} words"
        return question, self.people[1].ask(question, self.models[self.number % 2])

    def open_middles(self) -> None:
        for teller in self.cluster.tellers:
            teller.middle.open()

    def has(self, question: str, state: str) -> bool:
        return self.cluster.read_answers().get(question, ("",))[0] == state

    def finds(self, check: str, finding: str) -> Callable[[], bool]:
        """Returns a condition: both processes report this finding."""
        return lambda: [self.probe(person)[check] for person in self.people] == [finding] * 2

    def probe(self, person: Person) -> dict[str, str]:
        found: dict[str, str] = person.http.get("/readyz").json()["checks"]
        return found

    @contextmanager
    def told_half(self) -> Iterator[tuple[str, str, list[Listener]]]:
        """In the block, half of a story is on the tabs at both processes."""
        for teller in self.cluster.tellers:
            teller.close_middle()
        question, address = self.ask()
        half = story(self.number, LONG // 2)
        with ExitStack() as stack:
            tabs = [stack.enter_context(Listener(person, address)) for person in self.people]
            until(lambda: all(shown(tab) == half for tab in tabs), PATIENCE)
            yield question, address, tabs

    def ends_whole(self, question: str, address: str, tabs: list[Listener]) -> None:
        until(lambda: self.has(question, "complete"), PATIENCE)
        whole = story(self.number, LONG)
        assert self.cluster.read_answers()[question][1] == whole
        until(lambda: all(is_over(tab) for tab in tabs), PATIENCE)
        for person, tab in zip(self.people, tabs, strict=True):
            message = tab.see().messages[-1]
            assert tab.see().text(message) == whole
            assert tab.see().article(message) == person.page(address).article(message)


def shown(tab: Listener) -> str:
    page = tab.see()
    return page.text(page.messages[-1])


def is_over(tab: Listener) -> bool:
    page = tab.see()
    return page.state(page.messages[-1]) not in ("queued", "running")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    redis = RedisServer()
    with (
        PostgresServer() as postgres,
        Cluster(Path(tmp_path_factory.mktemp("outages") / "data"), postgres, redis) as cluster,
        ExitStack() as stack,
    ):
        [writer] = cluster.start(Site)
        [other] = cluster.start(Site, SERVE_ANSWERS="false")
        people = [stack.enter_context(signed_in(each.url)) for each in (writer, other)]
        yield Place(cluster, redis, postgres, people, sorted(people[0].find_models().values()))
    redis.kill()


def test_redis_is_killed_and_comes_back_empty(place: Place) -> None:
    with place.told_half() as (question, address, tabs):
        place.redis.kill()
        until(place.finds("redis", "unreachable"))
        place.open_middles()
        until(lambda: shown(tabs[0]) == story(place.number, LONG), PATIENCE)
        place.redis.start()
        until(place.finds("redis", "ok"))
        place.ends_whole(question, address, tabs)


@pytest.mark.rare
def test_redis_hangs(place: Place) -> None:
    with place.told_half() as (question, address, tabs):
        with place.redis.stopped():
            until(place.finds("redis", "unreachable"))
            place.open_middles()
            until(lambda: shown(tabs[0]) == story(place.number, LONG), PATIENCE)
        until(place.finds("redis", "ok"))
        place.ends_whole(question, address, tabs)


def test_a_stop_and_a_turn_pass_without_redis(place: Place) -> None:
    with place.told_half() as (question, address, tabs):
        with place.redis.stopped():
            until(place.finds("redis", "unreachable"))
            place.people[1].post(f"{address}stop/")
            until(lambda: place.has(question, "stopped"), HEARD_AT_ONCE)
            place.number += 1
            again = f"Story {place.number}, 3 words"
            place.people[1].ask(again, place.models[0])
            until(lambda: place.has(again, "complete"), HEARD_AT_ONCE)
        until(lambda: all(is_over(tab) for tab in tabs), PATIENCE)
        assert {tab.see().state(tab.see().messages[-1]) for tab in tabs} == {"stopped"}


@pytest.mark.parametrize("outage", ["stopped", pytest.param("hanging", marks=pytest.mark.rare)])
def test_postgresql_is_away(place: Place, outage: str) -> None:
    with place.told_half() as (question, address, tabs):
        with getattr(place.postgres, outage)():
            until(lambda: "ok" not in [place.probe(person)["database"] for person in place.people])
            place.open_middles()
            until(lambda: all(shown(tab) == story(place.number, LONG) for tab in tabs), PATIENCE)
        until(place.finds("database", "ok"), PATIENCE)
        place.ends_whole(question, address, tabs)
    assert place.cluster.query("SELECT count(*) FROM ledger_entry WHERE outcome = 'open'") == [(0,)]
    assert not any("Traceback" in line for each in place.cluster.processes for line in each.console)
