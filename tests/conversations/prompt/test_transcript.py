"""What a model is told: who spoke, in order, and nothing that is not for it."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation, Message
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.fakes import ModelServer
from tests.steps import Abort
from tests.viewers import Viewer
from tests.wires import is_text, reply_wire
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

SETTINGS: dict[str, Any] = {
    "system_prompt": "Be brief.",
    "max_tokens": 4000,
    "top_k": 40,
    "temperature": 0.5,
    "stop_sequences": ["END", "\tstop "],
}


async def say(tab: Viewer, conversation: Conversation, text: str, **fields: Any) -> Message:
    """Somebody says something and waits for the answer."""
    await tab.browser.say(conversation, text, **fields)
    reply = await last_reply(conversation)
    await tab.until_over(reply.message_id)
    return await Message.objects.aget(pk=reply.message_id)


def roles(server: ModelServer) -> list[str]:
    return [message["role"] for message in server.requests[-1].json["messages"]]


async def test_a_failed_reply_is_not_told(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One.")
    server.refuse(400, "invalid_request_error", "no")
    server.say("Three.")
    tab = await (await browser(ada)).open(conversation)
    for text in ("First", "Second", "Third"):
        await say(tab, conversation, text)
    said = [
        block["text"]
        for message in server.requests[-1].json["messages"]
        for block in message["content"]
        if block["type"] == "text"
    ]
    assert said == ["First", "One.", "Second", "Third"]


async def test_thinking_goes_back_to_the_provider_that_signed_it(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Hello.", thinking=["Hm, ", "hm."])
    tab = await (await browser(ada)).open(conversation)
    await say(tab, conversation, "Hello?")
    await say(tab, conversation, "Again?")
    [_, answer, _] = server.requests[-1].json["messages"]
    assert answer["role"] == "assistant"
    assert answer["content"][0] == {"type": "thinking", "thinking": "Hm, hm.", "signature": "signed"}
    assert answer["content"][1]["text"] == "Hello."


@pytest.mark.parametrize("protocol", ["anthropic", "openai"])
async def test_thinking_is_not_told_to_another_provider(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel, protocol: str
) -> None:
    server.say("Hello.", thinking=["Hm."])
    with ModelServer(protocol) as other:
        other.say("Hi.")
        stranger = await sync_to_async(provider_at)(other, "Stranger")
        tab = await (await browser(ada)).open(conversation)
        await say(tab, conversation, "Hello?", chat_model=model.pk)
        await say(tab, conversation, "Again?", chat_model=stranger.pk)
        assert b"Hm." not in other.requests[-1].body and b"signed" not in other.requests[-1].body
        assert b"Hello." in other.requests[-1].body
        assert roles(other) == ["user", "assistant", "user"]
        note = f"The thinking of earlier models was not sent to {stranger}, which cannot read it."
        assert note in (await last_reply(conversation)).notes


async def test_an_interrupted_reply_is_told_as_far_as_it_came(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    reply = await say_half(browser, ada, conversation, server)
    server.forget()
    server.say("On it goes.")
    tab = await (await browser(ada)).open(conversation)
    await say(tab, conversation, "Go on")
    assert reply.text == "Half"
    assert [message["content"][0]["text"] for message in server.requests[-1].json["messages"]][1] == "Half"


async def say_half(browser: Opening, person: User, conversation: Conversation, server: ModelServer) -> Message:
    """A reply that breaks off after its first word."""
    wire = reply_wire(server.protocol, ["Half"])
    last = max(index for index, event in enumerate(wire) if is_text(event))
    server.stream(*wire[: last + 1], Abort())
    return await say(await (await browser(person)).open(conversation), conversation, "Well?")


async def test_what_was_set_is_asked_for(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    await Conversation.objects.filter(pk=conversation.pk).aupdate(**SETTINGS)
    tab = await (await browser(ada)).open(conversation)
    await say(tab, conversation, "Hello?")
    asked = server.requests[-1].json
    assert (asked["model"], asked["max_tokens"]) == ("test-model", 4000)
    assert (asked["temperature"], asked["top_k"], asked["stop_sequences"]) == (0.5, 40, ["END", "\tstop "])
    assert "Be brief." in str(asked["system"])
    assert "top_p" not in asked and "thinking" not in asked


async def test_thinking_is_asked_for_with_its_budget(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    await Conversation.objects.filter(pk=conversation.pk).aupdate(
        thinking="budget", thinking_budget=2048, max_tokens=4096
    )
    tab = await (await browser(ada)).open(conversation)
    await say(tab, conversation, "Hello?")
    assert server.requests[-1].json["thinking"] == {"type": "enabled", "budget_tokens": 2048}


async def test_what_the_protocol_does_not_know_is_left_out_and_noted(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    await Conversation.objects.filter(pk=conversation.pk).aupdate(presence_penalty=1.0)
    tab = await (await browser(ada)).open(conversation)
    message = await say(tab, conversation, "Hello?")
    assert "presence_penalty" not in server.requests[-1].json
    [note] = (await last_reply(conversation)).notes
    assert note in tab.page.article(message.pk)


async def test_other_conversations_are_not_told(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    adas = await browser(ada)
    await adas.post("/turns/", text="A secret of another conversation")
    tab = await adas.open(conversation)
    await say(tab, conversation, "Hello?")
    told = [request.body for request in server.requests if b"Hello?" in request.body]
    assert told and not any(b"secret" in body for body in told)
