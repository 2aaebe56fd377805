"""Groups are saved together with those of other processes, and stay bounded."""

import asyncio
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils.timezone import now

from chatsite.errors import storage, writing
from chatsite.errors.recorder import MOST_REFERENCES, ErrorRecorder, Sighting
from chatsite.errors.storage import KEPT, MOST_GROUPS, purge, save
from chatsite.failures.failure_log import FailureLog
from chatsite.models import ErrorGroup
from chatsite.process.threads import database_sync_to_async
from tests.errors.logged import fail_there, log_failure

pytestmark = pytest.mark.django_db


def sighted(id: str = "req_1") -> list[Sighting]:
    recorder = ErrorRecorder()
    log_failure(recorder, id=id)
    return recorder.take()


async def read_group() -> ErrorGroup:
    return await database_sync_to_async(ErrorGroup.objects.get)()


def test_a_group_grows_with_what_each_process_saves() -> None:
    save(sighted("req_1"))
    first = ErrorGroup.objects.get()
    save(sighted("req_2"))
    group = ErrorGroup.objects.get()
    assert (group.count, group.references, group.first_at) == (2, "req_2 req_1", first.first_at)
    assert group.last_at > first.last_at
    assert str(group) == "ValueError: no tea" and group.version


def test_a_group_keeps_the_latest_references() -> None:
    for number in range(MOST_REFERENCES + 5):
        save(sighted(f"req_{number}"))
    references = ErrorGroup.objects.get().references.split()
    assert references == [f"req_{number}" for number in range(MOST_REFERENCES + 4, 4, -1)]


def test_a_resolved_group_comes_back_when_it_happens_again() -> None:
    save(sighted())
    # It was logged before somebody resolved it, and is saved after.
    late = sighted()
    ErrorGroup.objects.update(resolved_at=now())
    save(late)
    assert ErrorGroup.objects.get().resolved_at
    save(sighted())
    assert not ErrorGroup.objects.get().resolved_at


def test_old_groups_and_too_many_are_deleted() -> None:
    moment = now()
    ErrorGroup.objects.bulk_create(
        ErrorGroup(fingerprint=f"{number}", first_at=moment, last_at=moment - timedelta(minutes=number))
        for number in range(1, MOST_GROUPS + 10)
    )
    save(sighted())
    assert ErrorGroup.objects.count() == MOST_GROUPS
    assert not ErrorGroup.objects.filter(fingerprint=f"{MOST_GROUPS}").exists()
    ErrorGroup.objects.filter(fingerprint="7").update(last_at=moment - KEPT - timedelta(minutes=1))
    purge()
    assert ErrorGroup.objects.count() == MOST_GROUPS - 1


@pytest.mark.django_db(transaction=True)
def test_processes_that_save_at_the_same_time_lose_no_count() -> None:
    def save_often() -> None:
        for _ in range(20):
            recorder = ErrorRecorder()
            log_failure(recorder)
            log_failure(recorder, fail_there)
            save(recorder.take())
        connection.close()

    threads = [threading.Thread(target=save_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [*ErrorGroup.objects.values_list("count", flat=True)] == [80, 80]


@pytest.mark.django_db(transaction=True)
async def test_a_storm_is_one_row() -> None:
    recorder = ErrorRecorder()
    for _ in range(1000):
        log_failure(recorder)
    await writing.write(recorder)
    assert recorder.take() == []
    assert (await read_group()).count == 1000


@pytest.mark.django_db(transaction=True)
async def test_errors_wait_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("the database is away")

    recorder = ErrorRecorder()
    monkeypatch.setattr(writing, "failures", FailureLog("Saving what was logged as an error"))
    monkeypatch.setattr(storage, "save", refuse)
    for number in range(5):
        log_failure(recorder, id=f"req_{number}")
        await writing.write(recorder)
    # One line a minute, which is not an error: it would be recorded in turn.
    assert [record.levelname for record in caplog.records if "Saving what was logged" in record.message] == ["WARNING"]
    monkeypatch.undo()
    await writing.write(recorder)
    group = await read_group()
    assert group.count == 5 and set(group.references.split()) == {f"req_{number}" for number in range(5)}


@pytest.mark.django_db(transaction=True)
async def test_what_the_database_refuses_for_good_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    recorder = ErrorRecorder()
    log_failure(recorder)
    [group] = recorder.take()
    group.count = 2**70
    recorder.give_back([group])
    await writing.write(recorder)
    await writing.write(recorder)
    assert recorder.take() == [] and not await database_sync_to_async(ErrorGroup.objects.exists)()


async def test_the_loop_goes_on_while_the_database_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, go_on = ErrorRecorder(), threading.Event()
    monkeypatch.setattr(storage, "save", lambda _: go_on.wait(20))
    log_failure(recorder)
    writes = asyncio.create_task(writing.write(recorder))
    while not recorder.take():
        # The loop runs, and errors are recorded meanwhile.
        log_failure(recorder)
        await asyncio.sleep(0)
    go_on.set()
    await writes
