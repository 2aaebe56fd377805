"""Threads that serve requests one after the other, each with its connection to the database."""

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from chatsite.process.threads import SPARE, OwnThread, ReusedThreads, look_after_connection


class Counted:
    """An application that notes the thread of each request. With `all_here`, no request ends before so many are in."""

    def __init__(self, all_here: int = 1) -> None:
        self.threads: list[threading.Thread] = []
        self._barrier = asyncio.Barrier(all_here)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.threads.append(await sync_to_async(threading.current_thread)())
        assert self.threads[-1] is await sync_to_async(threading.current_thread)()
        await self._barrier.wait()
        if scope.get("fails"):
            raise ZeroDivisionError


async def request(application: ReusedThreads, **scope: Any) -> None:
    await application(scope, None, None)


async def test_a_thread_serves_one_request_after_the_other():
    counted = Counted()
    application = ReusedThreads(counted)
    for _ in range(3):
        await request(application)
    assert len(set(counted.threads)) == 1
    assert counted.threads[0] is not threading.main_thread()


async def test_requests_at_the_same_time_have_threads_of_their_own():
    count = SPARE + 3
    counted = Counted(count)
    application = ReusedThreads(counted)
    await asyncio.gather(*(request(application) for _ in range(count)))
    assert len(set(counted.threads)) == count
    # The threads of a crowd end; some stay for the next requests.
    for thread in counted.threads[SPARE:]:
        await asyncio.to_thread(thread.join, 20)
    assert [thread.is_alive() for thread in counted.threads].count(True) == SPARE


async def test_a_request_that_fails_gives_its_thread_back():
    counted = Counted()
    application = ReusedThreads(counted)
    with pytest.raises(ZeroDivisionError):
        await request(application, fails=True)
    await request(application)
    assert len(set(counted.threads)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_thread_of_its_own_keeps_its_connection():
    def connect() -> Any:
        connection.ensure_connection()
        return connection.connection

    thread = OwnThread("own")
    first, second = (thread.submit(look_after_connection(connect)).result() for _ in range(2))
    assert first is second is not connect()
    thread.shutdown()
    thread.shutdown()
