"""Who may listen to a conversation, and for how long."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from conversations import consumers
from conversations.consumers import BAD_EVENT, LONGEST_EVENT, NO_ACCESS, OUR_FAULT, TOO_MANY_TABS, ConversationTab
from conversations.live import broadcasts
from conversations.live.broadcasts import render_partial
from conversations.live.hub import Frame, conversation_topic, hub
from conversations.models import Conversation
from conversations.verbs import turns
from tests.conversations.asking import Opening
from tests.pages import words
from tests.viewers import PATIENCE, SITE, Browser, Viewer

pytestmark = pytest.mark.django_db(transaction=True)


async def is_let_in(browser: Browser, conversation: Conversation, origin: str = SITE) -> bool:
    socket = browser.socket(f"/ws/conversations/{conversation.pk}/", origin)
    accepted, _ = await socket.connect(PATIENCE)
    if accepted:
        await socket.disconnect(timeout=PATIENCE)
    return accepted


def is_listened_to(conversation: Conversation) -> bool:
    return conversation_topic(conversation.pk) in hub._viewers


async def test_members_can_listen(browser: Opening, ada: User, ben: User, conversation: Conversation) -> None:
    assert [await is_let_in(await browser(person), conversation) for person in (ada, ben)] == [True, True]


async def test_a_stranger_may_not_listen(browser: Opening, mallory: User, conversation: Conversation) -> None:
    assert not await is_let_in(await browser(mallory), conversation)
    assert not is_listened_to(conversation)


async def test_an_administrator_may_not_listen_to_other_peoples_conversations(
    browser: Opening, root: User, conversation: Conversation
) -> None:
    assert not await is_let_in(await browser(root), conversation)


async def test_nobody_may_listen_without_signing_in(loop_left_clean: None, conversation: Conversation) -> None:
    for key in ("", "0123456789abcdefghijklmnopqrstuv"):
        nobody = Browser(key)
        assert not await is_let_in(nobody, conversation)
        await nobody.close()


async def test_a_page_of_another_site_may_not_listen(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    for origin in ("https://evil.example", "http://localhost.evil.example", "null", ""):
        assert not await is_let_in(adas, conversation, origin)


async def test_an_unknown_conversation_has_no_socket(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    await Conversation.objects.filter(pk=conversation.pk).aupdate(deleted_at="2026-01-01T00:00Z")
    assert not await is_let_in(adas, conversation)
    conversation.pk += 1
    assert not await is_let_in(adas, conversation)


@pytest.mark.parametrize("address", ["/ws/x/", "/", "/ws/conversations/x/", "/v1/messages", "/ws/conversations/1/%00"])
async def test_an_unknown_address_has_no_socket(browser: Opening, ada: User, address: str) -> None:
    socket = (await browser(ada)).socket(address)
    assert await socket.connect() == (False, 1000)


async def test_a_closed_tab_is_forgotten(browser: Opening, ada: User, conversation: Conversation) -> None:
    tab = await (await browser(ada)).open(conversation)
    assert is_listened_to(conversation)
    await tab.close()
    assert not is_listened_to(conversation)


async def test_whatever_is_sent_is_answered(browser: Opening, ada: User, conversation: Conversation) -> None:
    tab = await (await browser(ada)).open(conversation)
    for event in ("ping", '{"type": "ping"}', "not JSON", "a" * LONGEST_EVENT):
        assert await tab.ping(event) == "pong"


async def test_a_tab_that_sends_too_much_is_closed(browser: Opening, ada: User, conversation: Conversation) -> None:
    tab = await (await browser(ada)).open(conversation)
    assert await tab.ping("a" * (LONGEST_EVENT + 1)) == str(BAD_EVENT)


async def test_a_tab_that_sends_too_often_is_closed(
    browser: Opening, ada: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "EVENT_RATE", (20, 0))
    tab = await (await browser(ada)).open(conversation)
    assert [await tab.ping() for _ in range(20)] == ["pong"] * 20
    assert await tab.ping() == str(BAD_EVENT)


async def test_heartbeats_do_not_check_access_each_time(
    browser: Opening, ada: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await (await browser(ada)).open(conversation)
    looked: list[int] = []
    monkeypatch.setattr(consumers, "is_session_alive", lambda *_: looked.append(1) or True)
    for _ in range(10):
        assert await tab.ping() == "pong"
    await tab.settle()
    assert looked == []


async def test_the_tab_that_was_silent_for_longest_makes_room_for_a_new_one(
    browser: Opening, ada: User, ben: User, conversation: Conversation, settings: Any
) -> None:
    settings.TABS_PER_PERSON = 2
    here, bens = await browser(ada), await (await browser(ben)).open(conversation)
    oldest, silent = await here.open(conversation), await here.open(conversation)
    assert await oldest.ping() == "pong"
    newest = await here.open(conversation)
    assert await silent.until_closed() == TOO_MANY_TABS
    for tab in (oldest, newest, bens):
        await tab.settle()
    await oldest.close()
    await silent.reconnect()
    for tab in (silent, newest):
        await tab.settle()


async def test_a_failing_database_refuses_a_tab_in_one_line(
    browser: Opening, ada: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(key: str) -> None:
        raise OperationalError("the database is away")

    adas = await browser(ada)
    monkeypatch.setattr(consumers, "find_person", fail)
    assert not await is_let_in(adas, conversation)
    assert [record.getMessage() for record in caplog.records] == ["A tab could not connect: the database is away"]
    assert not caplog.records[0].exc_info


async def test_a_connecting_tab_asks_the_shared_thread_for_one_query(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    page = await (await browser(ada)).load(conversation)
    shared = await sync_to_async(CaptureQueriesContext)(connection)
    await sync_to_async(shared.__enter__)()
    assert await page.connect()
    await page.settle()
    await sync_to_async(shared.__exit__)(None, None, None)
    assert len(shared.captured_queries) <= 1, shared.captured_queries


async def test_what_tabs_missed_is_rendered_once_for_all_that_wait_together(
    browser: Opening, ada: User, ben: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    adas = await browser(ada)
    pages = [await (await browser(person)).load(conversation) for person in (ada, ada, ben)]
    await adas.say(conversation, "Good morning")
    rendered, render = [], broadcasts.render_updates_since
    monkeypatch.setattr(broadcasts, "render_updates_since", lambda *args: rendered.append(1) or render(*args))
    async with slow_database():
        assert [await page.connect() for page in pages] == [True, True, True]
    for page in pages:
        await page.until(lambda page: len(page.messages) == 2)
    assert rendered == [1]


async def sign_out_elsewhere(browser: Opening, tab: Viewer, person: User, conversation: Conversation) -> None:
    await Session.objects.all().adelete()


async def deactivate(browser: Opening, tab: Viewer, person: User, conversation: Conversation) -> None:
    await User.objects.filter(pk=person.pk).aupdate(is_active=False)


async def change_password(browser: Opening, tab: Viewer, person: User, conversation: Conversation) -> None:
    person.set_password("something else altogether")
    await person.asave()


async def remove(browser: Opening, tab: Viewer, person: User, conversation: Conversation) -> None:
    await conversation.participants.filter(user=person).adelete()


async def delete(browser: Opening, tab: Viewer, person: User, conversation: Conversation) -> None:
    await Conversation.objects.filter(pk=conversation.pk).aupdate(deleted_at="2026-01-01T00:00Z")


@pytest.fixture
def checks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event of a tab has its access checked, however recent the last check is."""
    monkeypatch.setattr(consumers, "CHECK_PAUSE", 0)


ENDS = [sign_out_elsewhere, deactivate, change_password, remove, delete]


@pytest.mark.parametrize("end", ENDS)
async def test_a_tab_without_access_is_closed_when_it_next_sends(
    checks_at_once: None, browser: Opening, ben: User, conversation: Conversation, end: Any
) -> None:
    tab = await (await browser(ben)).open(conversation)
    await tab.settle()
    await end(browser, tab, ben, conversation)
    assert await tab.ping() == "pong"
    assert await tab.until_closed() == NO_ACCESS


@pytest.mark.parametrize("end", ENDS)
async def test_a_tab_without_access_is_closed_after_a_while(
    browser: Opening, ben: User, conversation: Conversation, end: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "CHECK_INTERVAL", 0.05)
    tab = await (await browser(ben)).open(conversation)
    await end(browser, tab, ben, conversation)
    assert await tab.until_closed() == NO_ACCESS


@asynccontextmanager
async def slow_database() -> AsyncIterator[None]:
    """Queries of tabs wait while this lasts, as they would behind a write that waits for a lock."""
    goes_on = threading.Event()
    waiting = asyncio.ensure_future(sync_to_async(goes_on.wait)())
    try:
        yield
    finally:
        goes_on.set()
        await waiting


async def test_heartbeats_and_updates_do_not_wait_for_a_slow_database(
    checks_at_once: None, browser: Opening, ben: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await (await browser(ben)).open(conversation)
    await tab.settle()
    looked: list[int] = []
    monkeypatch.setattr(consumers, "is_session_alive", lambda *_: looked.append(1) or True)
    async with slow_database():
        for number in range(3):
            assert await tab.ping() == "pong"
            hub.publish(
                conversation_topic(conversation.pk), Frame(render_partial("#saving", "innerHTML", f"News {number}"))
            )
            await tab.until(lambda page, number=number: words(page.one("#saving")) == f"News {number}")
        assert looked == []
    while not looked:
        await tab.settle()
    await tab.settle()
    assert looked == [1], "one look is enough for all that was heard meanwhile"


async def test_an_access_check_from_before_a_removal_does_not_count(
    checks_at_once: None,
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tab, adas = await (await browser(ben)).open(conversation), await browser(ada)
    await tab.settle()
    can_listen, looked, goes_on = ConversationTab.can_listen, threading.Event(), threading.Event()

    def slowly(self: ConversationTab) -> bool:
        answer = can_listen(self)
        looked.set()
        goes_on.wait()
        return answer

    monkeypatch.setattr(ConversationTab, "can_listen", slowly)
    try:
        assert await tab.ping() == "pong"
        await asyncio.to_thread(looked.wait)
        await adas.post(f"/conversations/{conversation.pk}/members/{ben.pk}/remove/")
        hub.publish(conversation_topic(conversation.pk), Frame("secret"))
    finally:
        goes_on.set()
    assert await tab.until_closed() == NO_ACCESS
    assert not any("secret" in message for message in tab.messages)


async def test_signing_out_closes_all_tabs_of_that_session_and_no_others(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    here, elsewhere = await browser(ada), await browser(ada)
    tabs = [await here.open(conversation), await here.open(conversation)]
    other = await elsewhere.open(conversation)
    answer = await here.post("/accounts/logout/", htmx=False)
    assert answer.status_code == 302
    assert [await tab.until_closed() for tab in tabs] == [NO_ACCESS, NO_ACCESS]
    await other.settle()


async def test_a_new_password_closes_the_tabs_of_all_other_sessions(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    here, elsewhere = await browser(ada), await browser(ada)
    other = await elsewhere.open(conversation)
    passwords = {"oldpassword": "a quiet reading room"} | dict.fromkeys(
        ("password1", "password2"), "an even quieter one"
    )
    answer = await here.post("/accounts/password/", htmx=False, **passwords)
    assert answer.status_code == 302
    assert await other.until_closed() == NO_ACCESS


async def test_a_slow_tab_is_closed_too_when_access_ends(
    browser: Opening, ben: User, conversation: Conversation
) -> None:
    tab = await (await browser(ben)).open(conversation)
    await tab.settle()
    [queue] = hub._viewers[conversation_topic(conversation.pk)]
    await remove(browser, tab, ben, conversation)
    # The request to check was dropped, as too many frames followed it.
    for _ in range(2 * queue._room):
        hub.publish(conversation_topic(conversation.pk), Frame("secret"))
    assert await tab.until_closed() == NO_ACCESS
    assert tab.messages == []


async def test_a_tab_that_cannot_be_updated_is_closed_so_that_it_reconnects(
    browser: Opening, ada: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getHandlerByName("console"), "stream", log := StringIO())
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    await Conversation.objects.filter(pk=conversation.pk).adelete()
    # After this gap, the tab has to catch up and cannot.
    hub.publish(conversation_topic(conversation.pk), Frame("never shown", relay=1, seq=7))
    assert await tab.until_closed() == OUR_FAULT
    assert tab.reason.startswith("req_")
    assert f"[{tab.reason}]: A tab of person {ada.pk} could not be kept up to date" in log.getvalue()


async def test_a_tab_gets_nothing_of_another_conversation(
    browser: Opening, ada: User, ben: User, mallory: User, conversation: Conversation
) -> None:
    other = await sync_to_async(turns.begin)(mallory)
    tab = await (await browser(ben)).open(conversation)
    mallorys = await browser(mallory)
    await mallorys.say(other, "A plan")
    adas = await browser(ada)
    await adas.say(conversation, "Good morning")
    await tab.until(lambda page: len(page.messages) == 2)
    assert not any("A plan" in message for message in tab.messages)


async def test_closed_connections_leave_nothing_behind(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    page = await adas.load(conversation)
    for _ in range(3):
        await page.connect()
        await page.close()
    await asyncio.gather(*(is_let_in(adas, conversation) for _ in range(5)))
    assert hub._viewers == {}


async def test_the_tabs_of_a_removed_member_close_at_once(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    bens = await (await browser(ben)).open(conversation)
    adas = await (await browser(ada)).open(conversation)
    answer = await adas.browser.post(f"/conversations/{conversation.pk}/members/{ben.pk}/remove/")
    assert answer.status_code == 200
    assert await bens.until_closed() == NO_ACCESS
    await adas.settle()
