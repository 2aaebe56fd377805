"""A stop holds at whatever moment of a handover it comes."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.utils.timezone import now

from accounts.models import User
from conversations.answering import replies
from conversations.answering.ending import HANDED_OVER
from conversations.models import Conversation, Generation, State
from conversations.verbs import turns
from ledger.models import Outcome
from tests.conversations.asking import Opening, begin_and_hang, claim_reply, last_reply, open_half_way
from tests.conversations.upkeep.handovers import hand_over, held, outcomes, take_over, until
from tests.conversations.verbs.desk import Desk
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_stopped_reply_is_not_handed_over(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    await open_half_way(browser, ada, conversation)
    reply = await last_reply(conversation)
    closing = asyncio.create_task(replies.local.close(HANDED_OVER))
    await asyncio.sleep(0)
    replies.local.stop(reply.pk)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert (await last_reply(conversation)).state == State.STOPPED


async def test_a_reply_can_be_stopped_between_two_processes(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begin_and_hang(server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    left = await hand_over(conversation)
    await sync_to_async(turns.stop)(left)
    await tab.until_over(message)
    await take_over(server, monkeypatch)
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text) == (State.STOPPED, "I could go on")


async def test_a_reply_that_is_stopped_while_it_is_handed_over_is_not_continued(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begin_and_hang(server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    reply = await last_reply(conversation)
    with held(replies.local):
        handing_over = asyncio.create_task(hand_over(conversation))
        await until(lambda: not any(each.is_growing for each in replies.local.running()))
        await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    left = await handing_over
    await tab.until_over(message)
    await take_over(server, monkeypatch, " and on.")
    assert (left.state, left.message.text, left.finished_at is None) == (State.STOPPED, "I could go on", False)
    assert (await last_reply(conversation)).message.text == "I could go on"
    assert (len(server.requests), await outcomes(reply)) == (1, [Outcome.BROKEN])


async def test_a_stop_that_the_next_process_finds_when_it_claims_the_reply_ends_it(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begin_and_hang(server, "I could ", "go on")
    await open_half_way(browser, ada, conversation)
    left = await hand_over(conversation)
    # As if the process that stops it had ended after its first statement.
    await Generation.objects.filter(pk=left.pk).aupdate(stop_asked_at=now())
    await take_over(server, monkeypatch, " and on.")
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text) == (State.STOPPED, "I could go on")
    assert (len(server.requests), await outcomes(reply)) == (1, [Outcome.BROKEN])


async def test_a_reply_that_is_stopped_just_after_its_claim_asks_no_model(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    await open_half_way(browser, ada, conversation)
    left = await hand_over(conversation)
    # Claimed, but its process does not find it among its replies yet.
    claimed = await claim_reply(left)
    await sync_to_async(turns.stop)(left)
    await claimed.run()
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text) == (State.STOPPED, "I could go on")
    assert (len(server.requests), await outcomes(reply)) == (1, [Outcome.BROKEN])


async def test_a_stop_while_the_need_for_approval_is_saved_is_not_lost(desk: Desk) -> None:
    await desk.use("echo", ask_first=True)
    desk.reply_with_calls(("toolu_1", "drawer__echo", {"text": "hello"}), text="May I?")
    desk.server.hold()
    reply = await desk.ask()
    desk.server.step()
    await desk.tab.until(lambda page: "May I?" in page.article(reply.message_id))
    await until(lambda: replies.local.running())
    desk.server.release()
    with held(replies.local):
        await until(lambda: not any(each.is_growing for each in replies.local.running()))
        await desk.stop()
    await desk.until_over(reply)
    assert (await last_reply(desk.conversation)).state == State.STOPPED
    assert await desk.decide(reply, "toolu_1", "once") in (204, 404)
    assert (await last_reply(desk.conversation)).state == State.STOPPED
