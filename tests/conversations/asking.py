"""Connects a model server as a provider, and prepares and follows its replies."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.answering import replies
from conversations.answering.claim import claim
from conversations.answering.ending import Ending
from conversations.answering.reply import RunningReply
from conversations.models import Conversation, Generation, Path, State
from conversations.verbs.writing import add_turn
from tests.fakes import ModelServer
from tests.steps import Hang
from tests.viewers import Browser, Viewer
from tests.wires import is_text, reply_wire
from upstreams.models import ChatModel, Provider

type Opening = Callable[[User], Awaitable[Browser]]


def provider_at(server: ModelServer, provider_name: str = "Testing", **fields: Any) -> ChatModel:
    """Creates a model on this server. Input costs 3 and output 15 per million tokens."""
    provider = Provider(name=provider_name, protocol=server.protocol, base_url=server.url)
    provider.set_key("key-of-the-test")
    provider.save()
    settings = {"model_id": "test-model", "name": "Test model", "supports_thinking": True, **fields}
    prices = {"input_price": Decimal(3), "output_price": Decimal(15)}
    model: ChatModel = provider.chat_models.create(**prices, **settings)
    model.make_default()
    return model


async def last_reply(conversation: Conversation) -> Generation:
    """The latest saved generation, with its message."""
    return await conversation.generations.select_related("message").alatest("pk")


def queue_turn(conversation: Conversation, author: User, text: str, model: ChatModel | None = None) -> Generation:
    """Adds a turn whose reply is queued, without enqueueing its task."""
    return add_turn(Path.through(conversation), author, text, model)


async def claim_reply(generation: Generation) -> RunningReply:
    """Claims a generation for a reply that the test writes itself, without an upstream."""
    claimed = await sync_to_async(claim)(generation.pk)
    assert claimed is not None
    return RunningReply(claimed, replies.local.saver)


async def claim_new_reply(conversation: Conversation, author: User, model: ChatModel) -> RunningReply:
    """Adds a turn and claims its reply."""
    return await claim_reply(await sync_to_async(queue_turn)(conversation, author, "Well?", model))


async def end(reply: RunningReply, state: State = State.COMPLETE) -> None:
    await reply.finish(Ending(state))


def begin_and_hang(server: ModelServer, *pieces: str) -> None:
    """Has the server's next reply begin with these pieces of text and then hang."""
    wire = reply_wire(server.protocol, pieces)
    last = max(index for index, event in enumerate(wire) if is_text(event))
    server.stream(*wire[: last + 1], Hang())


async def ask_and_read(tab: Viewer, conversation: Conversation, question: str, text: str) -> int:
    """Posts a turn and reads until its answer has this text. Returns the answer's message."""
    await tab.browser.say(conversation, question)
    message = (await last_reply(conversation)).message_id
    await tab.until_text(message, text)
    return message


async def open_half_way(browser: Opening, person: User, conversation: Conversation) -> tuple[Viewer, int]:
    """Opens a tab and starts a reply that never ends. Returns the tab and the reply's message."""
    tab = await (await browser(person)).open(conversation)
    message = await ask_and_read(tab, conversation, "Go on for ever", "I could go on")
    return tab, message
