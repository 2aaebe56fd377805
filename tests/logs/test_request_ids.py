"""A request has an id, which its response, its threads, its tasks and its events in the log have."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from contextvars import Context
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from django.tasks import task

from chatsite.logs.formats import LineFormatter
from chatsite.logs.request_ids import get_request_id, is_acceptable, make_request_id, set_request_id
from chatsite.process.threads import database_sync_to_async
from chatsite.serving.headers import add_default_headers
from chatsite.serving.request_ids import choose_request_id, give_request_ids
from gateway.serving import threads
from tests.browser.site import Site

OURS = re.compile(r"req_[0-9a-f]{16}")


def scope(**headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "path": "/", "headers": named}


@pytest.mark.parametrize("id", ["8c1f0a2e4b6d8f00", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "Root.1-abc_def"])
def test_the_id_of_a_trusted_proxy_is_used(settings: Any, id: str) -> None:
    settings.BEHIND_PROXY = True
    assert choose_request_id(scope(x_request_id=id)) == id
    settings.BEHIND_PROXY = False
    assert OURS.fullmatch(choose_request_id(scope(x_request_id=id)))


ODD = [
    "",
    "short",
    "x" * 65,
    "with space",
    "a\nb-forged",
    "<b>bold</b>",
    "ümlautümlaut",
    "-leading",
    "a,b,c,d,e",
    "12345678\nx",
]


@pytest.mark.parametrize("id", ODD)
def test_an_id_of_another_form_is_ignored(settings: Any, id: str) -> None:
    settings.BEHIND_PROXY = True
    assert not is_acceptable(id)
    assert OURS.fullmatch(choose_request_id(scope(x_request_id=id)))


def test_ids_differ() -> None:
    assert len({make_request_id() for _ in range(1000)}) == 1000


@pytest.mark.django_db(transaction=True)
async def test_threads_and_tasks_inherit_the_id() -> None:
    set_request_id("req_tea")
    assert await database_sync_to_async(get_request_id)() == "req_tea"
    assert await database_sync_to_async(get_request_id, thread_sensitive=False)() == "req_tea"
    assert await threads.in_thread(get_request_id)() == "req_tea"
    await asyncio.to_thread(threads.close)
    assert await asyncio.to_thread(get_request_id) == "req_tea"
    await note.aenqueue()
    async with asyncio.timeout(10):
        assert await seen.get() == "req_tea"


seen: asyncio.Queue[str] = asyncio.Queue()


@task
async def note() -> None:
    await seen.put(get_request_id())


async def respond(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0)
    id = get_request_id().encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-seen", id)]})
    await send({"type": "http.response.body", "body": b""})


async def ask(application: Any) -> SimpleNamespace:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    # As under a server, each request has a task of its own.
    await asyncio.create_task(give_request_ids(add_default_headers(application))(scope(), None, send))
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return SimpleNamespace(status=messages[0]["status"], headers=dict(messages[0]["headers"]), body=body.decode())


async def test_simultaneous_requests_have_ids_of_their_own() -> None:
    answers = await asyncio.gather(*[ask(respond) for _ in range(20)])
    ids = {answer.headers[b"x-request-id"] for answer in answers}
    assert len(ids) == 20
    assert all(answer.headers[b"x-seen"] == answer.headers[b"x-request-id"] for answer in answers)
    assert get_request_id() == ""


async def fail(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("no tea")


async def test_a_request_that_fails_outside_of_its_view_gets_a_page_with_its_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await ask(fail)
    id = answer.headers[b"x-request-id"].decode()
    assert answer.status == 500 and f">{id}<" in answer.body
    assert [record.getMessage() for record in caplog.records] == ["A request failed outside of its view"]


async def fail_late(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("no more tea")


async def test_a_server_that_logs_a_failure_elsewhere_still_knows_its_request() -> None:
    """Daphne does so, in a context of its own."""
    with pytest.raises(ValueError) as failure:
        await ask(fail_late)
    record = logging.LogRecord("daphne", logging.ERROR, __file__, 1, "Failed", (), failure._excinfo)
    line = Context().run(LineFormatter().format, record)
    assert re.search(r"ERROR daphne \[req_[0-9a-f]{16}\]: Failed\n", line)


# A real site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"LOG_FORMAT": "json", "LOG_LEVEL": "INFO", "BEHIND_PROXY": "true"}
    with Site(tmp_path_factory.mktemp("site"), **settings) as running:
        yield running


def read_events(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for line in site.console if line.startswith("{")]


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/healthz", "/nowhere/", "/static/favicon.svg", "/v1/models", "/"]
)
def test_every_response_has_an_id(site: Site, path: str) -> None:
    assert OURS.fullmatch(httpx.get(site.url + path).headers["x-request-id"])
    given = {"x-request-id": "8c1f0a2e4b6d8f00"}
    assert httpx.get(site.url + path, headers=given).headers["x-request-id"] == given["x-request-id"]


def test_a_refusal_before_the_application_has_an_id(site: Site) -> None:
    answer = httpx.post(f"{site.url}/accounts/login/", content=b"x" * 200_000)
    assert answer.status_code == 413 and OURS.fullmatch(answer.headers["x-request-id"])


def test_a_refused_socket_has_an_id(site: Site) -> None:
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    headers = upgrade | {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "origin": site.url}
    answer = httpx.get(f"{site.url}/ws/", headers=headers | {"x-request-id": "8c1f0a2e4b6d8f00"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (403, "8c1f0a2e4b6d8f00")


def test_a_refused_form_shows_the_reference_that_the_log_has(site: Site) -> None:
    answer = httpx.post(f"{site.url}/accounts/login/", data={"login": "ada"})
    id = answer.headers["x-request-id"]
    assert answer.status_code == 403 and f'Reference: <code class="reference">{id}</code>' in answer.text
    site.await_line(id)
    [event] = [event for event in read_events(site) if event["request_id"] == id]
    assert (event["level"], event["logger"]) == ("WARNING", "django.security.csrf")


def test_a_program_has_the_id_of_its_line(site: Site) -> None:
    headers = httpx.get(f"{site.url}/v1/models").headers
    assert headers["request-id"] == headers["x-request-id"]
    site.await_line(headers["request-id"])


def test_an_event_of_a_hostile_request_is_one_object(site: Site) -> None:
    httpx.get(f"{site.url}/accounts/login/", headers={"host": "evil\x1b.example"})
    id = httpx.get(f"{site.url}/accounts/login/", headers={"host": "other.example"}).headers["x-request-id"]
    site.await_line(id)
    lines = [line for line in site.console if "DisallowedHost" in line]
    assert lines and all(json.loads(line)["logger"] == "django.security.DisallowedHost" for line in lines)
