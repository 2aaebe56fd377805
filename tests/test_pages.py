"""Requests for pages: each runs in one call on its thread, a few at a time, and none holds up others while it waits."""

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from chatsite.process import threads
from chatsite.process.threads import ReusedThreads
from chatsite.serving import pages
from chatsite.serving.pages import PageHandler
from chatsite.sqlite.fair_lock import FairLock

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 20


class Crowd:
    """Counts the views that run at the same time, and holds them until the test opens the gate."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.gate = threading.Event()
        self.lock = threading.Lock()

    def view(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.gate.wait(PATIENCE)
        with self.lock:
            self.running -= 1
        return HttpResponse("done")


crowd = Crowd()
gate = asyncio.Event()


async def waiting(request: HttpRequest) -> HttpResponse:
    await asyncio.wait_for(gate.wait(), PATIENCE)
    return HttpResponse("waited")


def about_to_wait(request: HttpRequest) -> HttpResponse:
    threads.give_up_slot()
    return crowd.view(request)


note: ContextVar[str] = ContextVar("note")


def noting(request: HttpRequest) -> HttpResponse:
    note.set("in the thread")
    return HttpResponse("noted")


def quick(request: HttpRequest) -> HttpResponse:
    return HttpResponse(threading.current_thread().name)


urlpatterns = [
    path("crowd/", lambda request: crowd.view(request)),
    path("waiting/", waiting),
    path("about-to-wait/", about_to_wait),
    path("quick/", quick),
    path("noting/", noting),
]


@pytest.fixture(autouse=True)
def own_addresses() -> Iterator[None]:
    global crowd, gate
    crowd, gate = Crowd(), asyncio.Event()
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=["django.middleware.common.CommonMiddleware"]):
        yield


@pytest.fixture
def application() -> ReusedThreads:
    return ReusedThreads(PageHandler())


async def get(application: ReusedThreads, where: str) -> bytes:
    """Returns the body of the answer."""
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    asked.put_nowait({"type": "http.request"})
    answer: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        answer.append(message)

    scope = {"type": "http", "method": "GET", "path": where, "headers": [(b"host", b"localhost")], "query_string": b""}
    await application(scope, asked.get, send)
    assert answer[0]["status"] == 200
    return b"".join(message.get("body", b"") for message in answer[1:])


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_few_requests_run_at_a_time_and_the_others_follow(application: ReusedThreads) -> None:
    count = 3 * pages.AT_A_TIME
    asked = [asyncio.create_task(get(application, "/crowd/")) for _ in range(count)]
    await until(lambda: crowd.running == pages.AT_A_TIME)
    crowd.gate.set()
    assert await asyncio.gather(*asked) == [b"done"] * count
    assert crowd.most == pages.AT_A_TIME


@pytest.mark.parametrize("where", ["/waiting/", "/about-to-wait/"])
async def test_requests_that_wait_for_others_hold_up_nobody(application: ReusedThreads, where: str) -> None:
    asked = [asyncio.create_task(get(application, where)) for _ in range(3 * pages.AT_A_TIME)]
    assert (await asyncio.wait_for(get(application, "/quick/"), PATIENCE)).startswith(b"request")
    assert not any(task.done() for task in asked)
    gate.set()
    crowd.gate.set()
    await asyncio.gather(*asked)
    # They have given their places up once each.
    crowd.gate.clear()
    asked = [asyncio.create_task(get(application, "/crowd/")) for _ in range(3 * pages.AT_A_TIME)]
    await until(lambda: crowd.running == pages.AT_A_TIME)
    crowd.gate.set()
    await asyncio.gather(*asked)
    assert crowd.most <= 3 * pages.AT_A_TIME


async def test_people_who_leave_before_their_turn_take_no_place(application: ReusedThreads) -> None:
    running = [asyncio.create_task(get(application, "/crowd/")) for _ in range(pages.AT_A_TIME)]
    await until(lambda: crowd.running == pages.AT_A_TIME)
    leaving = [asyncio.create_task(get(application, "/crowd/")) for _ in range(pages.AT_A_TIME)]
    await asyncio.sleep(0)
    for task in leaving:
        task.cancel()
    await asyncio.wait(leaving)
    crowd.gate.set()
    await asyncio.gather(*running)
    assert (await asyncio.wait_for(get(application, "/quick/"), PATIENCE)).startswith(b"request")
    assert crowd.most == pages.AT_A_TIME


async def test_who_waits_long_for_the_lock_of_writers_says_so() -> None:
    lock, delayed = FairLock(), threading.Event()
    assert lock.acquire(0)
    waiter = asyncio.create_task(asyncio.to_thread(lock.acquire, PATIENCE, delayed.set, 0.01))
    assert await asyncio.to_thread(delayed.wait, PATIENCE)
    lock.release()
    assert await waiter


async def test_nothing_of_a_view_remains_in_the_task_of_its_request(application: ReusedThreads) -> None:
    assert await get(application, "/noting/") == b"noted"
    assert note.get("") == ""
