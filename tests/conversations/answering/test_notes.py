"""An answer written without a setting of its conversation says so beside it."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation, State
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.conversations.cutting import ask_and_cut
from tests.conversations.talking import act, until_it_says
from tests.conversations.verbs.desk import Desk
from tests.fakes import ModelServer
from tests.viewers import Viewer
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db(transaction=True)


async def ask(tab: Viewer, conversation: Conversation, text: str = "Well?") -> list[str]:
    """Posts a turn. Returns the notes of the answer, which the page shows."""
    await tab.browser.say(conversation, text)
    await tab.until_over((await last_reply(conversation)).message_id)
    reply = await last_reply(conversation)
    assert reply.state == State.COMPLETE
    notes: list[str] = reply.notes
    for page in (tab.page, (await tab.browser.load(conversation)).page):
        assert [note for note in notes if note not in page.article(reply.message_id)] == []
    return notes


CHAT, MESSAGES = ProtocolName.OPENAI, ProtocolName.ANTHROPIC


@pytest.mark.parametrize(
    ("protocol", "chosen", "field", "noted"),
    [
        (CHAT, {"temperature": 0.5}, "temperature", "Temperature was not sent"),
        (CHAT, {"reasoning_effort": "minimal"}, "reasoning_effort", "The reasoning effort was not sent"),
        (CHAT, {"reasoning_effort": "none"}, "reasoning_effort", "Thinking could not be switched off"),
        (CHAT, {"thinking": "off"}, "reasoning_effort", "Thinking could not be switched off"),
        (MESSAGES, {"temperature": 0.5}, "temperature", "Temperature was not sent"),
        (MESSAGES, {"reasoning_effort": "max"}, "effort", "The reasoning effort was not sent"),
        (MESSAGES, {"thinking": "off"}, "thinking", "Thinking could not be switched off"),
    ],
)
async def test_a_refused_setting_is_noted_beside_this_answer_and_the_next(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    protocol: ProtocolName,
    chosen: dict[str, Any],
    field: str,
    noted: str,
) -> None:
    with ModelServer(protocol) as server:
        await sync_to_async(provider_at)(server, thinks_adaptively=True)
        await Provider.objects.aupdate(reasoning_effort=True)
        await Conversation.objects.aupdate(**chosen)
        server.refuse(400, "invalid_request_error", f"{field}: this model does not support it")
        server.say("Yes.")
        tab = await (await browser(ada)).open(conversation)
        for question in ("Well?", "Again?"):
            [note] = await ask(tab, conversation, question)
            assert noted in note
        assert len(server.requests) == 3


async def test_a_refused_pseudonym_is_not_noted(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.refuse(400, "invalid_request_error", "metadata: Extra inputs are not permitted")
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    assert [await ask(tab, conversation, question) for question in ("Well?", "Again?")] == [[], []]


async def test_thinking_that_has_no_room_is_switched_off_and_noted(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await ChatModel.objects.aupdate(max_output_tokens=1500)
    await Conversation.objects.aupdate(thinking="budget", thinking_budget=2048)
    server.say("Yes.")
    [note] = await ask(await (await browser(ada)).open(conversation), conversation)
    assert note.startswith("Thinking is off for this answer: 1,500 tokens are too few")
    assert server.requests[-1].json["thinking"] == {"type": "disabled"}


async def test_adaptive_thinking_that_the_model_does_not_have_is_noted(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await Conversation.objects.aupdate(thinking="adaptive")
    server.say("Yes.")
    [note] = await ask(await (await browser(ada)).open(conversation), conversation)
    assert note.startswith("Adaptive thinking was not requested")
    assert "thinking" not in server.requests[-1].json


async def test_a_setting_refused_while_an_answer_is_continued_is_noted(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    tab = await (await browser(ada)).open(conversation)
    message = await ask_and_cut(tab, conversation, server, "Half an")
    await Conversation.objects.aupdate(temperature=0.5)
    server.refuse(400, "invalid_request_error", "temperature: not supported")
    server.say(" answer.")
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")
    [note] = (await last_reply(conversation)).notes
    assert "Temperature was not sent" in note and note in tab.page.article(message)


async def test_what_a_later_request_of_an_answer_leaves_out_is_noted(desk: Desk) -> None:
    await desk.use("picture")
    desk.model.sees_images = False
    await desk.model.asave()
    desk.reply_with_calls(("toolu_1", "drawer__picture", {}))
    desk.server.say("A pixel.")
    [note] = await ask(desk.tab, desk.conversation)
    assert "does not accept images" in note


async def test_a_setting_refused_after_a_tool_ran_is_noted(desk: Desk) -> None:
    await desk.use("echo")
    await Conversation.objects.aupdate(temperature=0.5)
    desk.reply_with_calls(("toolu_1", "drawer__echo", {"text": "hello"}))
    desk.server.refuse(400, "invalid_request_error", "temperature: not supported")
    desk.server.say("Hello.")
    [note] = await ask(desk.tab, desk.conversation)
    assert "Temperature was not sent" in note
