"""What models are told of tools: those that are open to who asks, and calls of earlier answers."""

import json

import pytest
from asgiref.sync import sync_to_async

from conversations.models import Conversation
from tests.conversations.asking import last_reply, provider_at
from tests.conversations.verbs.desk import Desk, messages_sent
from tests.fakes import ModelServer
from upstreams.endpoint import ProtocolName

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = ("toolu_1", "drawer__echo", {"text": "hello"})


async def test_only_tools_that_are_open_to_who_asks_are_offered(desk: Desk) -> None:
    await desk.use("echo")
    await desk.use("slow", is_narrowed=True)
    unchosen = await desk.use("picture")
    await desk.conversation.tools.aremove(unchosen)
    desk.server.say("Hello.")
    await desk.ask_and_wait()
    assert [tool["name"] for tool in desk.server.requests[0].json["tools"]] == ["drawer__echo"]


@pytest.mark.parametrize(("choice", "on_the_wire"), [("any", {"type": "any"}), ("none", {"type": "none"})])
async def test_the_choice_of_the_conversation_holds_for_how_an_answer_begins(
    desk: Desk, choice: str, on_the_wire: dict[str, str]
) -> None:
    await desk.use("echo")
    await Conversation.objects.filter(pk=desk.conversation.pk).aupdate(tool_choice=choice)
    desk.reply_with_calls(HELLO)
    desk.server.say("Done.")
    await desk.ask_and_wait()
    first, second = desk.server.requests
    assert first.json["tool_choice"] == on_the_wire
    assert second.json["tool_choice"] == {"type": "none" if choice == "none" else "auto"}


async def test_what_only_another_provider_could_read_is_left_behind_and_said_once(desk: Desk) -> None:
    with ModelServer(ProtocolName.ANTHROPIC) as other:
        elsewhere = await sync_to_async(provider_at)(other, "Elsewhere")
        desk.server.say("First.", thinking=["Hm."])
        other.say("Second.")
        other.say("Third.")
        notes = []
        for number, chosen in enumerate((desk.model, elsewhere, elsewhere)):
            await desk.browser.say(desk.conversation, f"Well? {number}", chat_model=chosen.pk)
            await desk.until_over(await last_reply(desk.conversation))
            notes.append([note for note in (await last_reply(desk.conversation)).notes if "thinking" in note])
        assert [len(each) for each in notes] == [0, 1, 0]
        assert "thinking" not in json.dumps(messages_sent(other))


async def test_without_tools_the_calls_of_earlier_answers_are_not_told(desk: Desk) -> None:
    tool = await desk.use("echo")
    desk.reply_with_calls(HELLO, text="Let me see.")
    desk.server.say("It said hello.")
    desk.server.say("Yes.")
    await desk.ask_and_wait()
    await desk.conversation.tools.aremove(tool)
    await desk.ask_and_wait("Sure?")
    assert "tools" not in desk.server.requests[-1].json
    texts = [block["text"] for message in desk.messages_sent() for block in message["content"]]
    assert texts == ["Well?", "Let me see.", "It said hello.", "Sure?"]
