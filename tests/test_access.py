"""Requests every address of the site as a visitor, a stranger, a member, an owner and an administrator.

A new address fails here until `tests/audiences.py` lists its audience.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client
from lxml import html

from accounts.models import ApiKey, User
from chatsite.models import ErrorGroup
from conversations.models import Attachment, Conversation, Generation, Message, Participant
from conversations.urls import websocket_urlpatterns
from ledger.models import Budget, RateLimit
from tests.audiences import (
    ADMIN_MODELS,
    ADMIN_ROUTES,
    ALL_ROUTES,
    CONVERSATION_ROUTES,
    PERSONAL_ROUTES,
    PRIVATE_ROUTES,
    PUBLIC_ROUTES,
    SETTINGS_ROUTES,
)
from tests.pages import HTMX
from tests.places import address_in, make_place
from tests.routes import routes
from tests.viewers import PATIENCE, Browser
from tools.models import Tool, ToolServer
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db

type SignedIn = Callable[[User], Client]


@pytest.fixture
def place(ada: User, ben: User) -> SimpleNamespace:
    return make_place(ada, ben)


METHODS = ("get", "post")
DOORS = ("/accounts/login/", "/admin/login/")
FILLED_IN = {"text": "Hello", "title": "Renamed"}


def request(browser: Client, method: str, where: str, **headers: str) -> HttpResponse:
    """Sends the request. Fails if the answer breaks its own content security policy."""
    send: Any = getattr(browser, method)
    answer: HttpResponse = send(where, FILLED_IN if method == "post" else {}, headers=headers)
    assert answer.status_code < 500, where
    assert_strict(answer, where)
    return answer


def assert_strict(answer: HttpResponse, where: str) -> None:
    """The policy allows nothing unsafe, and the HTML has nothing that the policy forbids."""
    if not answer["content-type"].startswith("text/html"):
        return
    policy = answer["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe-" not in policy, where
    if not answer.content.strip():
        return
    document = html.fragment_fromstring(answer.content.decode(), create_parent="div")
    inline = document.xpath("//script[not(@src) and not(@type='application/json') and not(@type='importmap')]")
    inline += document.xpath("//style | //*[@style] | //*[@*[starts-with(name(), 'on')]]")
    assert not inline, (where, html.tostring(inline[0])[:200])


@async_to_sync
async def read_stream(answer: Any) -> bytes:
    return b"".join([piece async for piece in answer])


def all_rows() -> list[Any]:
    """Every row that a stranger must not change."""
    tables: list[Any] = [Conversation, Message, Attachment, Generation, Participant]
    tables += [Provider, ChatModel, ToolServer, Tool, ApiKey, Budget, RateLimit, ErrorGroup]
    return [list(table.objects.order_by("pk").values()) for table in tables]


def assert_turned_away(browser: Client, place: SimpleNamespace, route: str) -> None:
    """Every request is refused or led to a sign-in page, reveals nothing and changes nothing."""
    before = all_rows()
    for method in METHODS:
        answer = request(browser, method, address_in(place, route))
        if answer.status_code == 302 and route != "admin/logout/":
            assert answer["location"].startswith(DOORS), answer["location"]
        else:
            assert answer.status_code in (302, 403, 404)
        assert b"secret" not in answer.content
    assert all_rows() == before


def test_every_address_has_an_audience() -> None:
    assert set(routes()) == ALL_ROUTES
    assert {model._meta.label for model in admin.site._registry} == ADMIN_MODELS
    assert {str(route.pattern) for route in websocket_urlpatterns} == {"ws/", "ws/conversations/<int:pk>/"}


@pytest.mark.parametrize("route", sorted(ALL_ROUTES - PUBLIC_ROUTES))
def test_a_visitor_is_asked_to_sign_in(place: SimpleNamespace, route: str) -> None:
    assert_turned_away(Client(), place, route)


@pytest.mark.parametrize("route", sorted(PUBLIC_ROUTES))
def test_a_visitor_can_open_public_pages(place: SimpleNamespace, route: str) -> None:
    answer = request(Client(), "get", address_in(place, route))
    assert answer.status_code == (404 if "token" in route else 200)


@pytest.mark.parametrize("route", sorted(CONVERSATION_ROUTES))
def test_a_stranger_cannot_find_a_conversation(
    browser_of: SignedIn, ben: User, mallory: User, place: SimpleNamespace, route: str
) -> None:
    before, browser = all_rows(), browser_of(mallory)
    for number, method in enumerate(METHODS):
        # A 405 comes before the conversation is looked up.
        expected = 405 if CONVERSATION_ROUTES[route].owner[number] == 405 else 404
        for person in (ben, mallory):
            for headers in ({}, HTMX):
                answer = request(browser, method, address_in(place, route, person), **headers)
                assert answer.status_code == expected
                assert b"secret" not in answer.content
    assert all_rows() == before


def test_an_administrator_cannot_find_the_conversations_of_others(
    browser_of: SignedIn, root: User, place: SimpleNamespace
) -> None:
    browser = browser_of(root)
    for route in CONVERSATION_ROUTES:
        for method in METHODS:
            assert request(browser, method, address_in(place, route, root)).status_code in (404, 405)


@pytest.mark.parametrize("route", sorted(CONVERSATION_ROUTES))
def test_members_and_owners_get_the_answers_of_their_role(
    browser_of: SignedIn, ada: User, ben: User, mallory: User, place: SimpleNamespace, route: str
) -> None:
    place.conversation.participants.create(user=mallory)
    where, answers = address_in(place, route, mallory), CONVERSATION_ROUTES[route]
    # The member goes first, because the owner may delete the row.
    for person, expected in ((ben, answers.member), (ada, answers.owner)):
        assert tuple(request(browser_of(person), method, where).status_code for method in METHODS) == expected


@pytest.mark.parametrize("route", sorted(PERSONAL_ROUTES - {"accounts/logout/"}))
def test_everyone_can_open_their_own_pages(
    browser_of: SignedIn, mallory: User, place: SimpleNamespace, route: str
) -> None:
    for method in METHODS:
        answer = request(browser_of(mallory), method, address_in(place, route))
        assert answer.status_code in (200, 204, 302, 405, 422)
        content = read_stream(answer) if answer.streaming else answer.content
        assert b"secret" not in content and b"Between us" not in content


@pytest.mark.parametrize("route", sorted(PRIVATE_ROUTES))
def test_nobody_can_find_what_belongs_to_someone_else(
    browser_of: SignedIn, mallory: User, root: User, place: SimpleNamespace, route: str
) -> None:
    before = all_rows()
    for person in (mallory, root):
        for method in METHODS:
            assert request(browser_of(person), method, address_in(place, route)).status_code in (404, 405)
    assert all_rows() == before


@pytest.mark.parametrize("route", sorted(SETTINGS_ROUTES))
def test_only_administrators_can_open_the_settings(
    browser_of: SignedIn, ada: User, place: SimpleNamespace, route: str
) -> None:
    before, where = all_rows(), address_in(place, route)
    for is_staff in (False, True):
        User.objects.filter(pk=ada.pk).update(is_staff=is_staff)
        for method in METHODS:
            assert request(browser_of(ada), method, where).status_code == 403
    assert all_rows() == before


@pytest.mark.parametrize("route", sorted(SETTINGS_ROUTES))
def test_an_administrator_can_open_the_settings(
    browser_of: SignedIn, root: User, place: SimpleNamespace, route: str
) -> None:
    assert request(browser_of(root), "get", address_in(place, route)).status_code in (200, 405)


@pytest.mark.parametrize("route", sorted(ADMIN_ROUTES))
def test_only_administrators_can_open_the_administration(
    browser_of: SignedIn, ada: User, place: SimpleNamespace, route: str
) -> None:
    assert_turned_away(browser_of(ada), place, route)


@pytest.mark.parametrize("route", sorted(ADMIN_ROUTES))
def test_an_administrator_can_open_the_administration(
    browser_of: SignedIn, root: User, place: SimpleNamespace, route: str
) -> None:
    assert request(browser_of(root), "get", address_in(place, route)).status_code in (200, 302, 403, 404, 405)


def test_a_deactivated_person_is_asked_to_sign_in(browser_of: SignedIn, ada: User, place: SimpleNamespace) -> None:
    browser = browser_of(ada)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    answer = request(browser, "get", f"/conversations/{place.conversation.pk}/")
    assert answer.status_code == 302 and answer["location"].startswith("/accounts/login/")


@pytest.mark.parametrize("where", ["/nothing/here", "/conversations/999999/", "/conversations/x/", "/static/x.js"])
def test_an_unknown_address_is_not_found(browser_of: SignedIn, ada: User, where: str) -> None:
    assert request(browser_of(ada), "get", where).status_code == 404


@pytest.mark.django_db(transaction=True)
async def test_a_socket_opens_for_those_who_can_open_its_page(
    ada: User, ben: User, mallory: User, place: SimpleNamespace
) -> None:
    on_conversation = f"/ws/conversations/{place.conversation.pk}/"
    welcome = {
        "/ws/": {ada: True, ben: True, mallory: True, None: False},
        on_conversation: {ada: True, ben: True, mallory: False, None: False},
    }
    for where, people in welcome.items():
        for person, is_welcome in people.items():
            browser = await Browser.of(person) if person else Browser()
            socket = browser.socket(where)
            accepted, _ = await socket.connect(PATIENCE)
            assert accepted == is_welcome, (where, person)
            if accepted:
                await socket.disconnect(timeout=PATIENCE)
            await browser.close()
