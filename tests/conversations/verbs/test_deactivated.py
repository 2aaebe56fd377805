"""When a person's account ends, so do the answers that they asked for. The others read why."""

import asyncio
import time
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from accounts.models import User
from accounts.sessions import announce_session_end
from conversations.answering import replies
from conversations.models import Conversation, Generation, State
from conversations.upkeep import recovery
from conversations.verbs import members, turns
from ledger.models import Entry, Outcome
from tests.conversations.asking import Opening, begin_and_hang, last_reply, queue_turn
from tests.conversations.talking import act, texts
from tests.conversations.verbs.desk import Desk
from tests.fakes import ModelServer
from tests.served import run_elsewhere
from tests.viewers import Viewer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = ("toolu_1", "drawer__echo", {"text": "hello"})
DEACTIVATED = "Stopped: Ada Lovelace’s account was deactivated. Other members can retry."


def administrator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def by_admin_page(ada: User) -> None:
    fields = {"username": ada.username, "name": ada.name, "email": ada.email}
    assert administrator().post(f"/admin/accounts/user/{ada.pk}/change/", fields).status_code == 302


def by_admin_action(ada: User) -> None:
    fields = {"action": "deactivate", "_selected_action": [ada.pk]}
    assert administrator().post("/admin/accounts/user/", fields).status_code == 302


def by_query(ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(is_active=False)


def by_another_process(ada: User) -> None:
    run_elsewhere(f"from accounts.models import User; User.objects.filter(pk={ada.pk}).update(is_active=False)")


def by_deletion(ada: User) -> None:
    ada.delete()


WAYS = [by_admin_page, by_admin_action, by_query, by_another_process, by_deletion]


@pytest.fixture
async def bens(browser: Opening, ben: User, conversation: Conversation) -> Viewer:
    """Ben's tab, who reads the conversation with Ada."""
    return await (await browser(ben)).open(conversation)


@pytest.mark.parametrize("way", WAYS)
async def test_a_running_answer_ends_within_a_second(
    tab: Viewer,
    bens: Viewer,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    way: Callable[[User], None],
) -> None:
    begin_and_hang(server, "I could ", "go on")
    await tab.browser.say(conversation, "Go on for ever")
    message = (await last_reply(conversation)).message_id
    await bens.until_text(message, "I could go on")
    await asyncio.to_thread(way, ada)
    ended = time.monotonic()
    assert await server.until_disconnected()
    assert time.monotonic() - ended < 1
    await bens.until_over(message)
    reason = DEACTIVATED if way is not by_deletion else "Stopped: The account of the person who asked was deleted."
    assert reason in bens.page.article(message)
    assert (bens.page.state(message), bens.page.text(message)) == ("stopped", "I could go on")
    reply = await last_reply(conversation)
    assert (reply.state, reply.error_kind, reply.message.text) == (State.STOPPED, "asker_gone", "I could go on")
    await replies.local.close()
    entry = await Entry.objects.aget()
    assert (entry.outcome, entry.is_estimate) == (Outcome.STOPPED, True) and entry.output_tokens


async def test_the_other_member_can_continue_and_retry(
    tab: Viewer, bens: Viewer, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    await tab.browser.say(conversation, "Go on for ever")
    message = (await last_reply(conversation)).message_id
    await bens.until_text(message, "I could go on")
    await sync_to_async(by_query)(ada)
    await bens.until_over(message)
    server.forget()
    server.say(" for ever.")
    await act(bens.browser, conversation, message, "continuations")
    await bens.until_text(message, "I could go on for ever.")
    await bens.until_over(message)
    assert (await last_reply(conversation)).state == State.COMPLETE
    assert DEACTIVATED not in bens.page.article(message)


async def test_queued_turns_are_not_asked_and_those_of_others_are(
    tab: Viewer, bens: Viewer, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    server.say("Ben's.")
    for browser, text in ((tab.browser, "One?"), (tab.browser, "Two?"), (bens.browser, "Three?")):
        await browser.say(conversation, text)
    first, second, third = [each.message_id async for each in Generation.objects.order_by("pk")]
    await bens.until_text(first, "I could go on")
    await asyncio.to_thread(by_admin_action, ada)
    await bens.until_over(third)
    assert [bens.page.state(each) for each in (first, second, third)] == ["stopped", "stopped", "complete"]
    assert DEACTIVATED in bens.page.article(second)
    assert texts(bens.page)[-1] == "Ben's." and len(server.requests) == 2


async def test_an_answer_that_a_restart_finds_queued_is_not_asked(
    loop_left_clean: None, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await sync_to_async(queue_turn)(conversation, ada, "Well?", model)
    await sync_to_async(by_query)(ada)
    for pk in await sync_to_async(recovery.recover)():
        await replies.generate.func(pk)
    assert (await last_reply(conversation)).state == State.STOPPED and not server.requests


async def test_a_tool_that_waits_for_a_lost_person_waits_no_more(desk: Desk, browser: Opening, ada: User) -> None:
    await desk.use("echo", ask_first=True)
    desk.reply_with_calls(HELLO, text="May I?")
    reply = await desk.ask_and_wait()
    await asyncio.to_thread(by_admin_page, ada)
    stopped = await last_reply(desk.conversation)
    assert (stopped.state, stopped.error_kind) == (State.STOPPED, "asker_gone")
    assert stopped.message_id == reply.message_id and stopped.message.text == "May I?"


async def test_a_running_tool_is_cancelled(desk: Desk, ada: User) -> None:
    await desk.use("slow")
    desk.reply_with_calls(("toolu_1", "drawer__slow", {"name": "lost"}))
    await desk.ask()
    await desk.drawer.saw("began", "lost")
    await sync_to_async(by_query)(ada)
    await desk.drawer.saw("cancelled", "lost")
    await replies.local.close()
    assert ((await last_reply(desk.conversation)).state, len(desk.server.requests)) == (State.STOPPED, 1)


@pytest.mark.parametrize("leaves_first", [True, False])
async def test_nobody_waits_for_the_approval_of_a_person_who_has_left(
    browser: Opening, desk: Desk, ben: User, leaves_first: bool
) -> None:
    """What runs goes on: the question was asked by a member."""
    await desk.use("echo", ask_first=True)
    await desk.use("slow")
    bens = await browser(ben)
    if leaves_first:
        desk.reply_with_calls(("toolu_0", "drawer__slow", {"name": f"left {leaves_first}"}))
    desk.reply_with_calls(HELLO, text="May I?")
    await bens.say(desk.conversation, "Well?")
    reply = await last_reply(desk.conversation)
    if leaves_first:
        await desk.drawer.saw("began", f"left {leaves_first}")
        await sync_to_async(members.remove)(desk.conversation, ben)
        desk.drawer.end(f"left {leaves_first}")
        await desk.until(reply, State.WAITING)
        await sync_to_async(turns.end_answers_without_asker)()
    else:
        await desk.until(reply, State.WAITING)
        await sync_to_async(members.remove)(desk.conversation, ben)
    await desk.until(reply, State.STOPPED)
    words = "Stopped: Ben Okri, who could allow the tool, is no longer in the conversation. Other members can retry."
    assert words in desk.tab.page.article(reply.message_id)


async def test_signing_out_ends_no_answer(
    tab: Viewer, bens: Viewer, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One ", "two")
    server.hold()
    await tab.browser.say(conversation, "Count")
    message = (await last_reply(conversation)).message_id
    server.step()
    await bens.until_text(message, "One")
    await tab.browser.post("/accounts/logout/")
    await sync_to_async(announce_session_end)(ada.pk)
    assert await tab.until_closed() == 4403
    server.release()
    await bens.until_over(message)
    assert (bens.page.text(message), bens.page.state(message)) == ("One two", "complete")
