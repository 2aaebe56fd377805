"""While another process locks the database, nobody gets an internal error, and the site asks to try again."""

import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, connections
from django.test import Client

from accounts.models import User
from chatsite.failures.faults import is_passing
from chatsite.sqlite import base
from conversations.models import Message
from tests.conftest import PASSWORD
from tests.locks import locked_database
from tests.pages import HTMX
from tests.places import address_in, make_place
from tests.routes import routes

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite,
]

FILLED_IN = {
    "text": "Hello",
    "title": "Renamed",
    "username": "new",
    "name": "New",
    "login": "ada",
    "password": PASSWORD,
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing waits for another process."""
    monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", 0)
    monkeypatch.setattr(base, "LEAST_PATIENCE", 0)
    connection.close()
    yield
    connection.close()


@pytest.fixture
def place(ada: User, ben: User) -> SimpleNamespace:
    return make_place(ada, ben)


@pytest.fixture
def root_browser(browser_of: Callable[[User], Client], root: User) -> Client:
    browser = browser_of(root)
    browser.raise_request_exception = False
    return browser


@pytest.fixture
def ada_browser(browser_of: Callable[[User], Client], ada: User) -> Client:
    browser = browser_of(ada)
    browser.raise_request_exception = False
    return browser


@pytest.mark.parametrize("person", ["ada_browser", "root_browser"])
def test_no_address_answers_with_an_internal_error(
    place: SimpleNamespace, person: str, request: pytest.FixtureRequest
) -> None:
    browser: Client = request.getfixturevalue(person)
    statuses = []
    with locked_database():
        for route in routes():
            where = address_in(place, route)
            for answer in (
                browser.get(where),
                browser.post(where, FILLED_IN),
                browser.post(where, FILLED_IN, headers=HTMX),
            ):
                assert answer.status_code != 500, where
                assert answer.status_code != 503 or answer["Retry-After"] == "2", where
                statuses.append(answer.status_code)
    assert 503 in statuses and 200 in statuses


def test_a_turn_that_was_refused_is_posted_once_when_it_is_sent_again(
    place: SimpleNamespace, ada_browser: Client
) -> None:
    turn = {"text": "Are you there?", "key": str(uuid4())}
    where = f"/conversations/{place.conversation.pk}/turns/"
    with locked_database():
        answer = ada_browser.post(where, turn, headers=HTMX)
        assert answer.status_code == 503
        assert "The site is busy" in answer.text
        assert (answer["HX-Retarget"], answer["HX-Reswap"]) == ("#toasts", "beforeend")
    for _ in range(2):
        assert ada_browser.post(where, turn, headers=HTMX).status_code == 201
    assert Message.objects.filter(key=turn["key"]).count() == 1


def test_without_scripts_a_page_asks_to_go_back(place: SimpleNamespace, ada_browser: Client) -> None:
    with locked_database():
        answer = ada_browser.post(f"/conversations/{place.conversation.pk}/turns/", {"text": "Are you there?"})
    assert answer.status_code == 503
    assert "Go back and try again" in answer.text


def test_signing_in_asks_to_try_again(client: Client, ada: User) -> None:
    client.raise_request_exception = False
    with locked_database():
        answer = client.post("/accounts/login/", {"login": ada.username, "password": PASSWORD})
    assert answer.status_code == 503
    assert client.post("/accounts/login/", {"login": ada.username, "password": PASSWORD}).status_code == 302


def test_the_log_has_one_line_for_each_refused_request(
    place: SimpleNamespace, ada_browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with locked_database(), caplog.at_level(logging.WARNING):
        ada_browser.post(f"/conversations/{place.conversation.pk}/unsent/", {"text": "Hm"})
    [line] = caplog.records
    assert "database is locked" in line.getMessage() and not line.exc_info


def test_wrong_sql_is_no_passing_fault() -> None:
    with pytest.raises(OperationalError) as missing, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM a_table_that_does_not_exist")
    assert not is_passing(missing.value)
