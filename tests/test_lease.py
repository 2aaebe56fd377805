"""A process that is quiet for long enough loses its work, once; one that only looks quiet does not."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from chatsite.models import Process
from chatsite.process.lease import LATE, QUIET, Lease, is_abandoned
from ledger.models import CallSource, Entry

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock) -> Callable[[], Lease]:
    def start_one() -> Lease:
        lease = Lease(clock)
        lease.take(is_alone=False)
        return lease

    return start_one


def watch(clock: Clock, observer: Lease, seconds: float, each: Callable[[], object] = lambda: None) -> list[int]:
    """Looks once a second, and calls `each` before. Returns the processes that were found dead."""
    dead: list[int] = []
    for _ in range(round(seconds)):
        clock.now += 1
        each()
        assert observer.beat()
        dead += [key for key in observer.find_dead() if observer.bury(key)]
    return dead


def test_a_quiet_process_is_dead_after_ten_seconds(clock: Clock, start: Callable[[], Lease]) -> None:
    observer, quiet = start(), start()
    assert watch(clock, observer, QUIET) == []
    assert watch(clock, observer, 1) == [quiet.key]
    assert not quiet.beat()
    assert [process.pk for process in Process.objects.all()] == [observer.key]


def test_a_process_that_beats_now_and_then_is_alive(clock: Clock, start: Callable[[], Lease]) -> None:
    observer, slow = start(), start()
    for _ in range(5):
        assert watch(clock, observer, QUIET - 1) == []
        assert slow.beat()


def test_an_observer_that_was_asleep_has_seen_nothing(clock: Clock, start: Callable[[], Lease]) -> None:
    observer, other = start(), start()
    watch(clock, observer, QUIET - 1)
    # The whole machine is suspended, or the database was locked: nobody could beat.
    clock.now += 10 * QUIET
    assert watch(clock, observer, QUIET) == []
    assert other.beat()


def test_a_slow_look_counts_as_sleep(clock: Clock, start: Callable[[], Lease]) -> None:
    observer, _ = start(), start()

    def stall() -> None:
        clock.now += LATE

    assert watch(clock, observer, 3 * QUIET, stall) == []


def test_one_that_beats_again_at_the_last_moment_lives(clock: Clock, start: Callable[[], Lease]) -> None:
    observer, other = start(), start()
    watch(clock, observer, QUIET)
    clock.now += 1
    assert observer.find_dead() == [other.key]
    assert other.beat()
    assert not observer.bury(other.key)
    assert other.beat()


def test_only_one_of_many_buries_a_process(clock: Clock, start: Callable[[], Lease]) -> None:
    dead, *observers = (start() for _ in range(9))
    for _ in range(round(QUIET) + 1):
        clock.now += 1
        for observer in observers:
            observer.beat()
            observer.find_dead()

    def bury(observer: Lease) -> bool:
        try:
            return observer.bury(dead.key)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(bury, observers)) == 1


def test_a_process_that_is_alone_takes_everything(start: Callable[[], Lease], clock: Clock) -> None:
    start()
    alone = Lease(clock)
    alone.take(is_alone=True)
    assert [process.pk for process in Process.objects.all()] == [alone.key]
    alone.release()
    assert not Process.objects.exists()


def test_work_is_abandoned_without_its_process(start: Callable[[], Lease]) -> None:
    living = start()
    kept, lost, older = (
        Entry.objects.create(source=CallSource.GATEWAY, process=process)
        for process in (living.key, living.key + 1, None)
    )
    assert set(Entry.objects.filter(is_abandoned())) == {lost, older}
    living.release()
    assert set(Entry.objects.filter(is_abandoned())) == {kept, lost, older}
