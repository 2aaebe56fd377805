"""The server stops, on purpose or not, and starts again: no text is lost."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from chatsite.models import Process
from conversations.answering import replies
from conversations.models import Conversation, Generation, Message, State
from conversations.upkeep import recovery, watch
from tests.conversations.asking import Opening, begin_and_hang, last_reply, open_half_way, queue_turn
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_server_that_stops_waits_for_its_replies(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Nearly ", "done")
    server.hold()
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Hurry")
    message = (await last_reply(conversation)).message_id
    server.step()
    await tab.until_text(message, "Nearly")
    winding_down = asyncio.create_task(replies.local.close())
    await tab.browser.say(conversation, "One more?")
    server.release()
    await winding_down
    await tab.until_over(message)
    assert tab.page.text(message) == "Nearly done"
    # A turn that came too late waits for the next start.
    assert (await last_reply(conversation)).state == State.QUEUED


async def test_a_server_that_cannot_wait_interrupts_replies_and_keeps_their_text(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    winding_down = asyncio.create_task(replies.local.close())
    await tab.browser.get("/accounts/")
    winding_down.cancel()
    await asyncio.gather(winding_down, return_exceptions=True)
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text) == (State.INTERRUPTED, "I could go on")
    await tab.until_over(message)
    assert "Interrupted." in tab.page.article(message)
    assert await server.until_disconnected()


async def test_a_server_without_replies_stops_at_once() -> None:
    await replies.local.close()


async def test_recovery_labels_lost_replies_and_names_the_queued_ones(
    ada: User, conversation: Conversation, model: ChatModel
) -> None:
    def crash() -> tuple[Generation, Generation]:
        first, second = (queue_turn(conversation, ada, text, model) for text in ("One?", "Two?"))
        assert first.claim() and not second.claim()
        Message.objects.filter(pk=first.message_id).update(blocks=[{"type": "text", "text": "Half"}])
        return first, second

    first, second = await sync_to_async(crash)()
    revision = conversation.revision
    assert await sync_to_async(recovery.recover)() == [second.pk]
    left = await Generation.objects.select_related("message").aget(pk=first.pk)
    assert (left.state, left.message.text) == (State.INTERRUPTED, "Half")
    assert left.finished_at is not None
    # Tabs that reconnect after the start catch up on it.
    assert left.message.revision > revision
    assert await sync_to_async(recovery.recover)() == [second.pk]


async def test_viewers_see_the_end_of_a_reply_whose_process_is_lost(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    process = await Process.objects.acreate()
    lost = await sync_to_async(queue_turn)(conversation, ada, "Still there?", model)
    assert await sync_to_async(lost.claim)()
    await Generation.objects.filter(pk=lost.pk).aupdate(process=process.pk)
    tab = await (await browser(ada)).open(conversation)
    await watch.take_over()
    assert (await last_reply(conversation)).state == State.RUNNING, "its process is alive"
    await process.adelete()
    await watch.take_over()
    await tab.until_over(lost.message_id)
    assert "Interrupted." in tab.page.article(lost.message_id)


async def test_a_person_returns_after_a_restart(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Two.")

    def crash() -> Generation:
        first = queue_turn(conversation, ada, "One?", model)
        queue_turn(conversation, ada, "Two?", model)
        first.claim()
        return first

    first = await sync_to_async(crash)()
    tab = await (await browser(ada)).load(conversation)
    assert tab.page.state(first.message_id) == "running"
    waiting = await sync_to_async(recovery.recover)()
    assert await tab.connect()
    for pk in waiting:
        await replies.generate.aenqueue(pk)
    second = (await last_reply(conversation)).message_id
    await tab.until_over(first.message_id)
    await tab.until_over(second)
    assert "The server stopped while writing this answer." in tab.page.article(first.message_id)
    assert tab.page.text(second) == "Two."


async def test_a_reply_is_written_once_however_often_it_is_enqueued(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Once.")
    generation = await sync_to_async(queue_turn)(conversation, ada, "How often?", model)
    tab = await (await browser(ada)).open(conversation)
    for _ in range(3):
        await replies.generate.aenqueue(generation.pk)
    await tab.until_over(generation.message_id)
    await replies.generate.aenqueue(generation.pk)
    assert tab.page.text(generation.message_id) == "Once."
    assert len(server.requests) == 1
