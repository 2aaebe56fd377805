"""Stop ends the model's work at once and keeps its text."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.answering import replies
from conversations.models import Conversation, Generation, State
from conversations.verbs import turns
from tests.conversations.asking import Opening, begin_and_hang, last_reply, open_half_way
from tests.fakes import ModelServer
from tests.steps import Gate
from tests.viewers import PATIENCE
from tests.wires import reply_wire
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_stop_keeps_the_text_and_closes_the_connection_to_the_model(
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
) -> None:
    begin_and_hang(either_server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    bens = await (await browser(ben)).open(conversation)
    answer = await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    assert answer.status_code == 204
    assert await either_server.until_disconnected()
    for viewer in (tab, bens):
        await viewer.until_over(message)
        assert viewer.page.state(message) == "stopped"
        assert viewer.page.text(message) == "I could go on"
        assert "Stopped" in viewer.page.article(message)
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text, reply.error_kind) == (State.STOPPED, "I could go on", "")
    assert reply.stop_asked_at is not None and reply.finished_at is not None


async def test_a_member_can_stop_an_answer_to_somebody_else(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    await (await browser(ben)).post(f"/conversations/{conversation.pk}/stop/")
    await tab.until_over(message)
    assert tab.page.state(message) == "stopped"


async def test_stop_before_the_first_word_ends_it_too(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    gate = Gate()
    server.stream(gate)
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Hello?")
    await asyncio.to_thread(gate.reached.wait, 5)
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    reply = await last_reply(conversation)
    await tab.until_over(reply.message_id)
    assert (await last_reply(conversation)).state == State.STOPPED
    assert await server.until_disconnected()


async def test_stop_ends_queued_replies_too(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    tab, first = await open_half_way(browser, ada, conversation)
    await tab.browser.say(conversation, "And then?")
    second = (await last_reply(conversation)).message_id
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    for message in (first, second):
        await tab.until_over(message)
        assert tab.page.state(message) == "stopped"
    assert len(server.requests) == 1


async def test_stopping_one_queued_reply_leaves_the_others(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    gate = Gate()
    server.stream(gate, *reply_wire(server.protocol, ["First."]))
    server.say("Third.")
    tab = await (await browser(ada)).open(conversation)
    for text in ("One?", "Two?", "Three?"):
        await tab.browser.say(conversation, text)
    waiting = Generation.objects.select_related("message__conversation").order_by("pk")
    _, second, third = [generation async for generation in waiting]
    await sync_to_async(turns.stop)(second)
    gate.open()
    await tab.until_over(third.message_id)
    assert [tab.page.state(message) for message in tab.page.messages[1::2]] == ["complete", "stopped", "complete"]
    assert tab.page.text(third.message_id) == "Third."


async def test_stop_after_the_end_changes_nothing(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Done.")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Quick!")
    reply = await last_reply(conversation)
    await tab.until_over(reply.message_id)
    answer = await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    assert answer.status_code == 204
    await sync_to_async(turns.stop)(await Generation.objects.select_related("message__conversation").aget(pk=reply.pk))
    assert (await last_reply(conversation)).state == State.COMPLETE


async def test_after_a_stop_the_conversation_goes_on(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    server.say("Shorter.")
    tab, message = await open_half_way(browser, ada, conversation)
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await tab.until_over(message)
    await tab.browser.say(conversation, "Shorter, please")
    message = (await last_reply(conversation)).message_id
    await tab.until_over(message)
    assert tab.page.text(message) == "Shorter."
    said = [each["content"][0]["text"] for each in server.requests[-1].json["messages"]]
    assert said == ["Go on for ever", "I could go on", "Shorter, please"]


async def test_without_scripts_stop_leads_back_to_the_conversation(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    answer = await (await browser(ada)).post(f"/conversations/{conversation.pk}/stop/", htmx=False)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")


async def test_a_reply_ends_when_its_conversation_is_deleted_for_good(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One ", "two")
    server.hold()
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Count")
    message = (await last_reply(conversation)).message_id
    server.step()
    await tab.until_text(message, "One")
    [reply] = replies.local.running()
    await conversation.adelete()
    server.release()
    async with asyncio.timeout(PATIENCE) as limit:
        await replies.local.close()
    assert not limit.expired() and not reply.is_growing and replies.local.running() == []
