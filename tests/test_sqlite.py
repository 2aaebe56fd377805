"""On SQLite, the writers of a process queue, and only the first one meets the locks of other processes."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction

from accounts.models import User
from chatsite.sqlite import base
from chatsite.sqlite.fair_lock import FairLock
from tests.locks import locked_database

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite,
]

CROWD = 40
PATIENCE = 1
"""Seconds that SQLite waits in these tests."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """New connections wait for a second only."""
    monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", PATIENCE)
    yield


def in_threads(work: Callable[[int], object], count: int = CROWD) -> list[Future[object]]:
    """Runs the work in threads of their own, all at once. Each has its connection."""
    barrier = threading.Barrier(count)

    def run(number: int) -> object:
        try:
            connection.ensure_connection()
            barrier.wait()
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return [threads.submit(run, number) for number in range(count)]


def test_a_crowd_writes_one_after_the_other_however_long_all_take(impatient: None) -> None:
    def write(number: int) -> None:
        with transaction.atomic():
            User.objects.create(username=f"writer-{number}")
            time.sleep(2 * PATIENCE / CROWD)

    assert [done.exception() for done in in_threads(write)] == [None] * CROWD
    assert User.objects.filter(username__startswith="writer-").count() == CROWD


def test_single_statements_queue_too(impatient: None, ada: User) -> None:
    def write(number: int) -> None:
        if number % 2:
            with transaction.atomic():
                User.objects.filter(pk=ada.pk).update(name=f"Ada {number}")
                time.sleep(4 * PATIENCE / CROWD)
        else:
            User.objects.create(username=f"writer-{number}")

    assert [done.exception() for done in in_threads(write)] == [None] * CROWD


def test_a_writer_that_fails_or_gives_up_its_connection_lets_the_next_one_write(impatient: None, ada: User) -> None:
    def write(number: int) -> None:
        match number % 4:
            case 0:
                with transaction.atomic():
                    User.objects.create(username="ada")
            case 1:
                with transaction.atomic():
                    User.objects.create(username=f"writer-{number}")
                    raise ZeroDivisionError
            case 2:
                connection.set_autocommit(False)
                User.objects.create(username=f"writer-{number}")
                connection.close()
            case 3:
                with transaction.atomic(), transaction.atomic():
                    User.objects.create(username=f"writer-{number}")

    done = [type(each.exception()).__name__ for each in in_threads(write)]
    assert done == ["IntegrityError", "ZeroDivisionError", "NoneType", "NoneType"] * (CROWD // 4)
    assert User.objects.filter(username__startswith="writer-").count() == CROWD // 4


def test_readers_do_not_wait_for_writers(impatient: None, ada: User) -> None:
    with transaction.atomic():
        ada.save()
        [read] = in_threads(lambda _: User.objects.get(pk=ada.pk).name, 1)
    assert read.result() == ada.name


def test_a_crowd_waits_for_another_process(ada: User) -> None:
    with locked_database() as holder:
        releasing = threading.Timer(3, holder.release)
        releasing.start()
        done = in_threads(lambda number: User.objects.create(username=f"writer-{number}"))
        releasing.join()
    assert [each.exception() for each in done] == [None] * CROWD


def test_a_writer_gives_up_when_another_process_keeps_the_lock(impatient: None, ada: User) -> None:
    with locked_database():
        [done] = in_threads(lambda _: ada.save(), 1)
    assert isinstance(done.exception(), OperationalError)
    [done] = in_threads(lambda _: ada.save(), 1)
    assert done.exception() is None


def test_a_writer_gives_up_when_the_queue_does_not_move(
    monkeypatch: pytest.MonkeyPatch, impatient: None, ada: User
) -> None:
    monkeypatch.setattr(base, "LONGEST_QUEUE", 0.1)
    with transaction.atomic():
        ada.save()
        [done] = in_threads(lambda _: ada.save(), 1)
    assert isinstance(done.exception(), OperationalError)


def test_the_lock_goes_to_the_one_that_has_waited_longest() -> None:
    lock, order = FairLock(), []
    assert lock.acquire(0)

    def wait(number: int) -> None:
        assert lock.acquire(20)
        order.append(number)
        lock.release()

    threads = []
    for number in range(10):
        threads.append(threading.Thread(target=wait, args=[number]))
        threads[-1].start()
        while len(lock._waiting) <= number:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join(20)
    assert order == list(range(10))


def test_one_who_stops_waiting_is_passed_over() -> None:
    lock = FairLock()
    assert lock.acquire(0)
    assert not lock.acquire(0.01)
    lock.release()
    assert lock.acquire(0)


@pytest.mark.parametrize("parameters", [["a%s?"], {"word": "a%s?"}])
def test_a_statement_gets_its_parameters_however_often_it_runs(parameters: object) -> None:
    placeholder = "%s" if isinstance(parameters, list) else "%(word)s"
    with connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute(f"SELECT {placeholder}, '100 %%', '?'", parameters)
            assert cursor.fetchone() == ("a%s?", "100 %", "?")


def test_the_same_statement_is_converted_once() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, 'converted once'", [1])
        before = base._convert.cache_info()
        cursor.execute("SELECT %s, 'converted once'", [2])
        assert cursor.fetchone() == (2, "converted once")
    after = base._convert.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
