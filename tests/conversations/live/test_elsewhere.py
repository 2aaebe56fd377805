"""A reply that another process writes looks the same as one of this process, and can be stopped as soon."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from accounts.sessions import announce_session_end
from chatsite.process.bus import Bus
from conversations import consumers
from conversations.answering import elsewhere, replies
from conversations.answering.elsewhere import OtherProcesses
from conversations.answering.reply import RunningReply
from conversations.live import broadcasts
from conversations.live.hub import Hub, hub
from conversations.models import Conversation, Generation, Message, State
from conversations.upkeep import recovery
from conversations.verbs import deleting
from tests.conversations.asking import Opening, claim_new_reply, end, last_reply, queue_turn
from tests.conversations.live.test_catching_up import BATCHES, has_grown, is_as_if_fresh
from tests.fakes import ModelServer
from tests.redis_server import RedisServer
from upstreams.events import BlockClosed, BlockGrew, BlockOpened
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 20.0
ANOTHER_PROCESS = 999


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.kill()


@dataclass
class Owner:
    """The process that writes replies. The browsers of the test are connected to the other one."""

    hub: Hub
    replies: replies.Replies

    async def begin(self, conversation: Conversation, author: User, model: ChatModel) -> RunningReply:
        reply = await claim_new_reply(conversation, author, model)
        await Generation.objects.filter(pk=reply.generation.pk).aupdate(process=ANOTHER_PROCESS)
        self.replies.show(reply)
        return reply


@pytest.fixture
async def owner(redis: RedisServer, loop_left_clean: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Owner]:
    there = Hub()
    for each in (hub, there):
        monkeypatch.setattr(each, "bus", Bus(redis.url, "chatsite:test", b"k" * 32, each))
        await bus_of(each).start()
    own = replies.Replies()
    OtherProcesses(there, lambda: own)
    # Whatever happens to conversations happens in the owner's process.
    monkeypatch.setattr(broadcasts, "hub", there)
    await until(lambda: bus_of(hub)._others and bus_of(there)._others)
    yield Owner(there, own)
    await own.cut()
    await asyncio.to_thread(own.close_threads)
    for each in (hub, there):
        await bus_of(each).stop()


def bus_of(each: Hub) -> Bus:
    assert each.bus is not None
    return each.bus


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 (conditions of all kinds)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("joined", range(len(BATCHES) + 1))
async def test_a_latecomer_reads_a_reply_of_another_process_whole(
    owner: Owner, browser: Opening, ada: User, conversation: Conversation, model: ChatModel, joined: int
) -> None:
    away = await (await browser(ada)).load(conversation)
    reply = await owner.begin(conversation, ada, model)
    message = reply.relay.message.pk
    for batch in BATCHES[:joined]:
        reply.relay.carry(batch)
    late = await (await browser(ada)).open(conversation)
    assert await away.connect()
    for batch in BATCHES[joined:]:
        reply.relay.carry(batch)
    for tab in (late, away):
        await tab.until(lambda _, tab=tab: has_grown(tab, message))
    await end(reply)
    for tab in (late, away):
        await tab.until_over(message)
        assert await is_as_if_fresh(tab, conversation, message)


async def test_many_latecomers_ask_for_one_snapshot(
    owner: Owner,
    browser: Opening,
    ada: User,
    conversation: Conversation,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reply = await owner.begin(conversation, ada, model)
    for batch in BATCHES:
        reply.relay.carry(batch)
    asked: list[Any] = []
    take, tabs = reply.relay.snapshot, [await (await browser(ada)).open(conversation) for _ in range(5)]
    monkeypatch.setattr(reply.relay, "snapshot", lambda since: asked.append(since) or take(since))
    for tab in tabs:
        await tab.until(lambda _, tab=tab: has_grown(tab, reply.relay.message.pk))
    asked.clear()
    hub.mark_behind()
    for tab in tabs:
        tab.messages.clear()
        await tab.until(lambda _, tab=tab: set(tab.messages) - {consumers.BEHIND})
    assert 0 < len(asked) < len(tabs)
    await end(reply)


async def test_without_an_answer_the_saved_text_is_shown(
    owner: Owner,
    browser: Opening,
    ada: User,
    conversation: Conversation,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(elsewhere, "PATIENCE", 0.05)
    away = await (await browser(ada)).load(conversation)
    reply = await claim_new_reply(conversation, ada, model)
    saved = [{"type": "text", "text": "As far as it was saved"}]
    await Generation.objects.filter(pk=reply.generation.pk).aupdate(process=ANOTHER_PROCESS)
    await Message.objects.filter(pk=reply.relay.message.pk).aupdate(blocks=saved)
    assert await away.connect()
    await away.until_text(reply.relay.message.pk, "As far as it was saved")
    # At the next gap, the owner answers.
    owner.replies.show(reply)
    for batch in BATCHES:
        reply.relay.carry(batch)
    hub.mark_behind()
    await away.until(lambda _: has_grown(away, reply.relay.message.pk))
    await end(reply)


async def test_a_conversation_at_rest_is_asked_for_by_nobody(
    owner: Owner, browser: Opening, ada: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(hub, "tell", lambda topic, *values: told.append(topic))
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    assert told == []


async def test_a_stop_reaches_the_process_that_writes(
    owner: Owner, browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One ", "two ")
    server.hold()
    tab = await (await browser(ada)).open(conversation)
    generation = await sync_to_async(queue_turn)(conversation, ada, "Count", model)
    writing = asyncio.create_task(owner.replies.write(generation.pk))
    server.step()
    await tab.until_text(generation.message_id, "One")
    # Only by the bus: the database does not know of it.
    await sync_to_async(elsewhere.local.stop)(generation.pk)
    await asyncio.wait_for(writing, PATIENCE)
    await tab.until_over(generation.message_id)
    assert (await last_reply(conversation)).state == State.STOPPED


async def test_a_deletion_and_a_restoration_reach_the_process_that_writes(
    owner: Owner, browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    reply = await owner.begin(conversation, ada, model)
    message = reply.relay.message
    tab = await (await browser(ada)).open(conversation)
    for batch in BATCHES:
        reply.relay.carry(batch)
    await tab.until(lambda _: has_grown(tab, message.pk))
    copy = await Message.objects.for_reading().aget(pk=message.pk)
    await sync_to_async(deleting.delete)(copy)
    await until(lambda: message.deleted_at == copy.deleted_at is not None)
    await tab.until(lambda page: not page.has(message.pk))
    await sync_to_async(deleting.restore)(copy)
    await until(lambda: (message.deleted_at, message.shown_since) == (None, copy.shown_since))
    await tab.until(lambda _: has_grown(tab, message.pk))
    await end(reply)
    await tab.until_over(message.pk)
    assert await is_as_if_fresh(tab, conversation, message.pk)


async def test_an_account_that_ends_stops_its_answers_elsewhere(
    owner: Owner,
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replies, "CHECK_INTERVAL", 3600.0)
    server.say("One ", "two ")
    server.hold()
    tab = await (await browser(ben)).open(conversation)
    generation = await sync_to_async(queue_turn)(conversation, ada, "Count", model)
    writing = asyncio.create_task(owner.replies.write(generation.pk))
    server.step()
    await tab.until_text(generation.message_id, "One")
    await User.objects.filter(pk=ada.pk).aupdate(is_active=False)
    await sync_to_async(announce_session_end)(ada.pk)
    await asyncio.wait_for(writing, PATIENCE)
    await tab.until_over(generation.message_id)


async def test_a_person_signed_out_elsewhere_loses_the_socket_at_once(
    owner: Owner, browser: Opening, ada: User, conversation: Conversation
) -> None:
    tab = await (await browser(ada)).open(conversation)
    await User.objects.filter(pk=ada.pk).aupdate(is_active=False)
    owner.hub.publish(f"person:{ada.pk}", broadcasts.CHECK_AGAIN)
    async with asyncio.timeout(1):
        assert await tab.until_closed() == 4403


async def test_a_tab_elsewhere_that_loses_frames_catches_up(
    owner: Owner, browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    reply = await owner.begin(conversation, ada, model)
    tab = await (await browser(ada)).open(conversation)
    await tab.read()
    for number, batch in enumerate(BATCHES):
        if number == 3:
            bus_of(owner.hub)._outbox.clear()
            bus_of(owner.hub)._number += 1
        reply.relay.carry(batch)
    await tab.until(lambda _: has_grown(tab, reply.relay.message.pk))
    # The page loads its list again.
    assert consumers.BEHIND in tab.messages
    await end(reply)
    await tab.until_over(reply.relay.message.pk)
    assert await is_as_if_fresh(tab, conversation, reply.relay.message.pk)


async def test_tabs_do_not_keep_what_a_process_shows_after_it_has_lost_its_reply(
    owner: Owner, browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    reply = await owner.begin(conversation, ada, model)
    message = reply.relay.message.pk
    tab = await (await browser(ada)).open(conversation)
    for batch in BATCHES[:4]:
        reply.relay.carry(batch)
    await tab.until(lambda page: "Two" in page.article(message))
    await owner.replies.saver.save([reply.relay])
    # It was asleep: another process has taken it for dead, and has ended its reply.
    await sync_to_async(recovery.recover)()
    await tab.until_over(message)
    reply.relay.carry([BlockClosed({}), BlockOpened({"type": "text", "text": ""}), BlockGrew("Lost words")])
    await tab.until(lambda page: "Lost words" in page.article(message))
    await end(reply)
    late = await (await browser(ada)).open(conversation)
    for each in (tab, late):
        await each.until(lambda page: "Lost words" not in page.article(message))
        assert await is_as_if_fresh(each, conversation, message)
