"""The owner of running replies: it starts, finds, stops and closes them, and keeps nothing of those that have ended."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.answering import replies
from conversations.answering.reply import RunningReply
from conversations.models import Conversation, State
from tests.conversations.asking import begin_and_hang, claim_new_reply, last_reply, queue_turn
from tests.conversations.cutting import broken_reply
from tests.fakes import ModelServer
from tests.viewers import PATIENCE
from upstreams.models import ChatModel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("loop_left_clean")]


@pytest.fixture
def no_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def test_a_reply_is_found_from_its_first_frame_to_its_last(
    ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    reply = await claim_new_reply(conversation, ada, model)
    assert replies.local.find(conversation.pk) is None
    replies.local.show(reply)
    assert replies.local.find(conversation.pk) is reply.relay
    assert replies.Replies().find(conversation.pk) is None, "another owner has its own replies"
    await reply.run()
    assert replies.local.find(conversation.pk) is None
    assert (await last_reply(conversation)).state == State.COMPLETE


async def test_a_stop_before_the_model_is_asked_ends_the_reply(
    ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    reply = await claim_new_reply(conversation, ada, model)
    replies.local.show(reply)
    replies.local.stop(reply.generation.pk)
    await reply.run()
    assert (await last_reply(conversation)).state == State.STOPPED
    assert server.requests == []


async def test_an_owner_that_closes_starts_nothing_more(
    ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    queued = await sync_to_async(queue_turn)(conversation, ada, "Well?", model)
    await replies.local.close()
    await replies.generate.func(queued.pk)
    assert (await last_reply(conversation)).state == State.QUEUED
    assert server.requests == []


@pytest.mark.parametrize("ending", [State.COMPLETE, State.STOPPED, State.FAILED, State.INTERRUPTED])
async def test_a_reply_that_has_ended_leaves_memory_without_a_collection(
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
    no_collections: None,
    ending: State,
) -> None:
    gone: list[asyncio.Event] = []
    loop = asyncio.get_running_loop()

    def show(self: replies.Replies, reply: RunningReply) -> None:
        for part in (reply, reply.relay, reply.relay.draft):
            gone.append(asyncio.Event())
            weakref.finalize(part, loop.call_soon_threadsafe, gone[-1].set)
        shown(self, reply)
        if ending == State.STOPPED:
            reply.stop()

    shown = replies.Replies.show
    monkeypatch.setattr(replies.Replies, "show", show)
    match ending:
        case State.COMPLETE:
            server.say("Yes.")
        case State.STOPPED:
            begin_and_hang(server, "I could ", "go on")
        case State.FAILED:
            server.refuse(401, "authentication_error")
        case State.INTERRUPTED:
            server.stream(*broken_reply(server, "Half"))
    generation = await sync_to_async(queue_turn)(conversation, ada, "Well?", model)
    await replies.generate.func(generation.pk)
    assert (await last_reply(conversation)).state == ending
    assert len(gone) == 3
    # A worker thread may still let go of its last call. A cycle would stay for good, and this would time out.
    async with asyncio.timeout(PATIENCE):
        for event in gone:
            await event.wait()
