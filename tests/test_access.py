"""Who gets where: every address of the site, as somebody signed out, a stranger, a member, an owner, an administrator.

An address that is new fails here until it is listed with those whom it is for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.test import Client
from lxml import html

from accounts.models import ApiKey, User
from conversations.models import Attachment, Conversation, Generation, Message, Participant, Path, State
from conversations.models.attachment import THUMBNAIL
from conversations.urls import websocket_urlpatterns
from conversations.verbs import turns
from conversations.verbs.writing import add_turn
from ledger.models import Budget, RateLimit
from tests.reach import address, routes
from tests.viewers import PATIENCE, Browser
from tools.models import Tool, ToolServer
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db

type SignedIn = Callable[[User], Client]

PUBLIC = {"healthz", "accounts/login/", "accounts/set-up/<str:token>/"}
ONES_OWN = {
    *("", "turns/", "unsent/", "conversations/", "attachments/"),
    *("accounts/", "accounts/again/", "accounts/logout/", "accounts/password/"),
    *("account/keys/", "account/usage/", "account/usage/table.csv", "account/usage/calls.csv"),
}


@dataclass(frozen=True)
class Answers:
    """Status codes for (GET, POST): what the owner and what a member is answered. Strangers are always told 404."""

    owner: tuple[int, int]
    member: tuple[int, int]


def both(get: int, post: int) -> Answers:
    return Answers((get, post), (get, post))


MESSAGE = "conversations/<int:pk>/messages/<int:message_pk>/"
OF_A_CONVERSATION = {
    "conversations/<int:pk>/": both(200, 405),
    "conversations/<int:pk>/messages/": both(200, 405),
    "conversations/<int:pk>/turns/": both(405, 302),
    "conversations/<int:pk>/stop/": both(405, 302),
    "conversations/<int:pk>/context/": both(200, 405),
    "conversations/<int:pk>/omissions/": both(405, 302),
    "conversations/<int:pk>/omissions/undo/": both(405, 302),
    "conversations/<int:pk>/summaries/": both(405, 302),
    "conversations/<int:pk>/title/": both(200, 302),
    "conversations/<int:pk>/settings/": both(200, 302),
    "conversations/<int:pk>/unsent/": both(405, 204),
    # No file comes with what is posted here.
    "conversations/<int:pk>/attachments/": both(405, 422),
    "attachments/<uuid:key>/": both(200, 405),
    "attachments/<uuid:key>/thumbnail/": both(200, 405),
    # It was sent, so it cannot be taken back.
    "attachments/<uuid:key>/remove/": both(405, 404),
    "conversations/<int:pk>/members/": Answers(owner=(200, 422), member=(200, 404)),
    "conversations/<int:pk>/members/<int:person_pk>/remove/": Answers(owner=(405, 200), member=(405, 404)),
    "conversations/<int:pk>/delete/": Answers(owner=(405, 302), member=(405, 404)),
    # Nothing is deleted, so there is nothing to restore.
    "conversations/<int:pk>/restore/": both(405, 404),
    MESSAGE + "source/": both(200, 405),
    MESSAGE + "retries/": both(405, 302),
    # The message is a model's, which nobody edits.
    MESSAGE + "edits/": both(403, 403),
    MESSAGE + "continuations/": both(405, 302),
    # No tool waits for anybody.
    MESSAGE + "tool-decisions/": both(405, 404),
    MESSAGE + "delete/": Answers(owner=(405, 302), member=(405, 403)),
    MESSAGE + "restore/": both(405, 404),
    MESSAGE + "forks/": both(405, 302),
}
OF_PROVIDERS = {
    "settings/providers/",
    "settings/providers/add/",
    "settings/providers/trial/",
    "settings/providers/<int:pk>/",
    "settings/providers/<int:pk>/edit/",
    "settings/providers/<int:pk>/edit/trial/",
    "settings/providers/<int:pk>/enabling/",
    "settings/providers/<int:pk>/delete/",
    "settings/providers/<int:pk>/trial/",
    "settings/providers/<int:pk>/listing/",
    "settings/providers/<int:provider_pk>/models/",
    "settings/providers/<int:provider_pk>/models/add/",
    "settings/providers/<int:provider_pk>/models/enabling/",
    "settings/models/<int:pk>/",
    "settings/models/<int:pk>/enabling/",
    "settings/models/<int:pk>/default/",
    "settings/models/<int:pk>/delete/",
}
OF_TOOLS = {
    "settings/tools/",
    "settings/tools/servers/add/",
    "settings/tools/servers/<int:server_pk>/",
    "settings/tools/servers/<int:server_pk>/edit/",
    "settings/tools/servers/<int:server_pk>/enabling/",
    "settings/tools/servers/<int:server_pk>/delete/",
    "settings/tools/servers/<int:server_pk>/check/",
    "settings/tools/<int:tool_pk>/",
    "settings/tools/<int:tool_pk>/allowing/",
    "settings/tools/<int:tool_pk>/asking/",
}
OF_KEYS = {"settings/keys/", "settings/keys/<int:key_pk>/revoke/"}
OF_THE_LEDGER = {
    "settings/usage/",
    "settings/usage/table.csv",
    "settings/usage/calls.csv",
    "settings/budgets/",
    "settings/budgets/add/",
    "settings/budgets/<int:budget_pk>/",
    "settings/budgets/<int:budget_pk>/remove/",
    "settings/limits/add/",
    "settings/limits/<int:limit_pk>/",
    "settings/limits/<int:limit_pk>/remove/",
}
OF_THE_SETTINGS = OF_PROVIDERS | OF_TOOLS | OF_KEYS | OF_THE_LEDGER
# What is Ada's: to everybody else, administrators too, it does not exist.
ONE_PERSONS = {"account/keys/<int:key_pk>/revoke/"}
ONLY_LEADS_ON = {"settings/"}
OF_THE_ADMINISTRATION = {route for route in routes() if route.startswith("admin/")}
IN_THE_ADMINISTRATION = {
    *("auth.Group", "accounts.User", "upstreams.Provider", "upstreams.ChatModel"),
    *("conversations.Conversation", "conversations.Message", "conversations.Generation", "ledger.Entry"),
}
LISTED = (
    PUBLIC | ONES_OWN | ONE_PERSONS | set(OF_A_CONVERSATION) | OF_THE_SETTINGS | ONLY_LEADS_ON | OF_THE_ADMINISTRATION
)


@pytest.fixture
def place(ada: User, ben: User) -> SimpleNamespace:
    """Ada's conversation with Ben, in which a model has answered; the keys that stand in addresses."""
    provider = Provider.objects.create(name="Testing", protocol="anthropic", base_url="http://127.0.0.1:9")
    model = ChatModel.objects.create(provider=provider, model_id="test-model", is_default=True)
    server = ToolServer.objects.create(name="Testing", url="http://127.0.0.1:9/mcp")
    tool = server.tools.create(name="echo", wire_name="testing__echo")
    conversation = turns.begin(ada, title="Between us")
    conversation.participants.create(user=ben)
    generation = add_turn(Path.through(conversation), ada, "A secret", model)
    Generation.objects.update(state=State.COMPLETE)
    Message.objects.filter(pk=generation.message_id).update(blocks=[{"type": "text", "text": "Another secret"}])
    attachment = conversation.attachments.create(
        owner=ada, message=generation.message.parent, stored="secret", size=6, width=1, height=1
    )
    for part in ("", THUMBNAIL):
        default_storage.save(attachment.stored + part, ContentFile(b"secret"))
    key = ApiKey(person=ada, name="A secret program")
    key.renew_secret()
    key.save()
    return SimpleNamespace(
        key=key,
        budget=Budget.objects.create(scope="site", period="month", unit="tokens", limit=1000),
        limit=RateLimit.objects.create(scope="person", streams=4),
        conversation=conversation,
        message=generation.message,
        attachment=attachment,
        generation=generation,
        provider=provider,
        model=model,
        server=server,
        tool=tool,
    )


def address_in(place: SimpleNamespace, route: str, person: User | None = None) -> str:
    keys: dict[str, object] = {
        "pk": place.conversation.pk,
        "message_pk": place.message.pk,
        "person_pk": person.pk if person else 0,
        "provider_pk": place.provider.pk,
        "key": place.attachment.uuid,
        "server_pk": place.server.pk,
        "tool_pk": place.tool.pk,
        "key_pk": place.key.pk,
        "budget_pk": place.budget.pk,
        "limit_pk": place.limit.pk,
        "token": "forged",
        "app_label": "accounts",
        "url": "nothing/here",
        "content_type_id": 1,
        "id": 1,
        "object_id": 1,
    }
    if route.startswith("settings/"):
        keys["pk"] = (place.model if "settings/models/" in route else place.provider).pk
    for name, row in (("conversation", place.conversation), ("message", place.message)):
        if f"/{name}/" in route:
            keys["object_id"] = row.pk
    return address(route, keys)


METHODS = ("get", "post")
HTMX = {"hx-request": "true"}
DOORS = ("/accounts/login/", "/admin/login/")
FILLED_IN = {"text": "Hello", "title": "Renamed"}


def asked(browser: Client, method: str, where: str, **headers: str) -> HttpResponse:
    """The answer, after a look at whether a browser would have to refuse some of it."""
    send: Any = getattr(browser, method)
    answer: HttpResponse = send(where, FILLED_IN if method == "post" else {}, headers=headers)
    assert answer.status_code < 500, where
    assert_strict(answer, where)
    return answer


def assert_strict(answer: HttpResponse, where: str) -> None:
    """A policy with nothing unsafe in it, and nothing in the HTML that the policy forbids."""
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
async def streamed(answer: Any) -> bytes:
    return b"".join([piece async for piece in answer])


def everything() -> list[Any]:
    """All that is in the database and that a stranger must not change."""
    tables: list[Any] = [Conversation, Message, Attachment, Generation, Participant]
    tables += [Provider, ChatModel, ToolServer, Tool, ApiKey, Budget, RateLimit]
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_every_address_is_listed_with_those_it_is_for() -> None:
    assert set(routes()) == LISTED
    assert {model._meta.label for model in admin.site._registry} == IN_THE_ADMINISTRATION
    assert {str(route.pattern) for route in websocket_urlpatterns} == {"ws/", "ws/conversations/<int:pk>/"}


@pytest.mark.parametrize("route", sorted(LISTED - PUBLIC))
def test_who_is_not_signed_in_is_asked_to_sign_in(place: SimpleNamespace, route: str) -> None:
    before = everything()
    for method in METHODS:
        answer = asked(Client(), method, address_in(place, route))
        if answer.status_code == 302 and route != "admin/logout/":
            assert answer["location"].startswith(DOORS), answer["location"]
        else:
            assert answer.status_code in (302, 403, 404)
        assert b"secret" not in answer.content
    assert everything() == before


@pytest.mark.parametrize("route", sorted(PUBLIC))
def test_little_is_public(place: SimpleNamespace, route: str) -> None:
    answer = asked(Client(), "get", address_in(place, route))
    assert answer.status_code == (404 if "token" in route else 200)


@pytest.mark.parametrize("route", sorted(OF_A_CONVERSATION))
def test_to_a_stranger_a_conversation_does_not_exist(
    browser_of: SignedIn, ben: User, mallory: User, place: SimpleNamespace, route: str
) -> None:
    before, browser = everything(), browser_of(mallory)
    for number, method in enumerate(METHODS):
        # 405: not even looked for.
        expected = 405 if OF_A_CONVERSATION[route].owner[number] == 405 else 404
        for person in (ben, mallory):
            for headers in ({}, HTMX):
                answer = asked(browser, method, address_in(place, route, person), **headers)
                assert answer.status_code == expected
                assert b"secret" not in answer.content
    assert everything() == before


def test_to_an_administrator_the_conversations_of_others_do_not_exist_either(
    browser_of: SignedIn, root: User, place: SimpleNamespace
) -> None:
    browser = browser_of(root)
    for route in OF_A_CONVERSATION:
        for method in METHODS:
            assert asked(browser, method, address_in(place, route, root)).status_code in (404, 405)


@pytest.mark.parametrize("route", sorted(OF_A_CONVERSATION))
def test_those_who_take_part_are_answered_by_their_part(
    browser_of: SignedIn, ada: User, ben: User, mallory: User, place: SimpleNamespace, route: str
) -> None:
    place.conversation.participants.create(user=mallory)
    where, answers = address_in(place, route, mallory), OF_A_CONVERSATION[route]
    # The member first: the owner may delete what is asked for.
    for person, expected in ((ben, answers.member), (ada, answers.owner)):
        assert tuple(asked(browser_of(person), method, where).status_code for method in METHODS) == expected


@pytest.mark.parametrize("route", sorted(ONES_OWN - {"accounts/logout/"}))
def test_everybody_has_pages_of_their_own(
    browser_of: SignedIn, mallory: User, place: SimpleNamespace, route: str
) -> None:
    for method in METHODS:
        answer = asked(browser_of(mallory), method, address_in(place, route))
        assert answer.status_code in (200, 204, 302, 405, 422)
        content = streamed(answer) if answer.streaming else answer.content
        assert b"secret" not in content and b"Between us" not in content


@pytest.mark.parametrize("route", sorted(ONE_PERSONS))
def test_what_is_one_persons_does_not_exist_for_anybody_else(
    browser_of: SignedIn, mallory: User, root: User, place: SimpleNamespace, route: str
) -> None:
    before = everything()
    for person in (mallory, root):
        for method in METHODS:
            assert asked(browser_of(person), method, address_in(place, route)).status_code in (404, 405)
    assert everything() == before


@pytest.mark.parametrize("route", sorted(OF_THE_SETTINGS))
def test_the_settings_are_for_administrators(
    browser_of: SignedIn, ada: User, place: SimpleNamespace, route: str
) -> None:
    before, where = everything(), address_in(place, route)
    for is_staff in (False, True):
        User.objects.filter(pk=ada.pk).update(is_staff=is_staff)
        for method in METHODS:
            assert asked(browser_of(ada), method, where).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("route", sorted(OF_THE_SETTINGS))
def test_an_administrator_reads_the_settings(
    browser_of: SignedIn, root: User, place: SimpleNamespace, route: str
) -> None:
    assert asked(browser_of(root), "get", address_in(place, route)).status_code in (200, 405)


@pytest.mark.parametrize("route", sorted(OF_THE_ADMINISTRATION))
def test_the_administration_is_for_administrators(
    browser_of: SignedIn, ada: User, place: SimpleNamespace, route: str
) -> None:
    before = everything()
    for method in METHODS:
        answer = asked(browser_of(ada), method, address_in(place, route))
        if answer.status_code == 302 and route != "admin/logout/":
            assert answer["location"].startswith(DOORS), answer["location"]
        else:
            assert answer.status_code in (302, 403, 404)
        assert b"secret" not in answer.content
    assert everything() == before


@pytest.mark.parametrize("route", sorted(OF_THE_ADMINISTRATION))
def test_an_administrator_reads_the_administration(
    browser_of: SignedIn, root: User, place: SimpleNamespace, route: str
) -> None:
    assert asked(browser_of(root), "get", address_in(place, route)).status_code in (200, 302, 403, 404, 405)


def test_deactivated_people_get_nowhere(browser_of: SignedIn, ada: User, place: SimpleNamespace) -> None:
    browser = browser_of(ada)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    answer = asked(browser, "get", f"/conversations/{place.conversation.pk}/")
    assert answer.status_code == 302 and answer["location"].startswith("/accounts/login/")


@pytest.mark.parametrize("where", ["/nothing/here", "/conversations/999999/", "/conversations/x/", "/static/x.js"])
def test_what_is_not_there_is_said_to_be_not_there(browser_of: SignedIn, ada: User, where: str) -> None:
    assert asked(browser_of(ada), "get", where).status_code == 404


@pytest.mark.django_db(transaction=True)
async def test_sockets_are_for_those_who_may_read_the_page(
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
