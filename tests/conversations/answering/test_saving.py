"""A growing reply is saved about once a second."""

import asyncio

import pytest
from django.db.models import F
from django.utils.timezone import now

from accounts.models import User
from conversations.answering import replies, saving
from conversations.models import Conversation, Generation, Message, State
from tests.conversations.asking import Opening, begin_and_hang, last_reply, open_half_way
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_growing_reply_is_saved_and_another_process_can_stop_it(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saving, "INTERVAL", 0.01)
    begin_and_hang(server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    async with asyncio.timeout(5):
        while (await Message.objects.aget(pk=message)).text != "I could go on":
            pass
    reply = await last_reply(conversation)
    assert reply.state == State.RUNNING
    # Another process would ask in this way, through the database alone.
    await Generation.objects.filter(pk=reply.pk).aupdate(stop_asked_at=now())
    await tab.until_over(message)
    assert (await last_reply(conversation)).state == State.STOPPED
    assert await server.until_disconnected()


async def test_an_earlier_save_does_not_overwrite_the_last_words(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saving, "INTERVAL", 0)
    pieces = [f"{number} " for number in range(200)]
    server.say(*pieces)
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Count")
    await tab.until_over((await last_reply(conversation)).message_id)
    await replies.local.close()
    assert (await last_reply(conversation)).message.text == "".join(pieces)


async def test_a_reply_that_another_process_has_taken_is_neither_saved_nor_ended(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(saving, "INTERVAL", 0.01)
    begin_and_hang(server, "I could ", "go on")
    _, message = await open_half_way(browser, ada, conversation)
    reply = await last_reply(conversation)
    # Another process claims it between two saves, and writes.
    await Generation.objects.filter(pk=reply.pk).aupdate(claims=F("claims") + 1)
    await Message.objects.filter(pk=message).aupdate(blocks=[{"type": "text", "text": "Theirs"}])
    assert await server.until_disconnected()
    await replies.local.close()
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text) == (State.RUNNING, "Theirs")
    assert [call.entry.outcome async for call in reply.calls.select_related("entry")] == ["broken"]
