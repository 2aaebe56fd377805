"""What a model is sent when it continues an answer, over each protocol."""

import pytest
from asgiref.sync import sync_to_async

from conversations.models import Conversation, Message, State
from conversations.prompt.transcript import CONTINUE_REQUEST
from tests.conversations.asking import last_reply, provider_at
from tests.conversations.cutting import ask_and_cut, saved_text
from tests.conversations.talking import act, ask_and_wait, follow, prompt_texts, texts, until_it_says
from tests.fakes import ModelServer
from tests.steps import Abort
from tests.viewers import Viewer
from tests.wires import is_text, reply_wire
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


def last_prompt(server: ModelServer) -> tuple[str, str]:
    """The role and text of the last message that the model got."""
    return server.requests[-1].json["messages"][-1]["role"], prompt_texts(server)[-1]


@pytest.mark.parametrize("end", ["", " ", "\n\n", " \t\n"])
async def test_over_messages_the_model_continues_its_own_text_without_trailing_white_space(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel, end: str
) -> None:
    message = await ask_and_cut(tab, conversation, server, "Half an", *([end] if end else []))
    server.say(" answer.")
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")
    assert last_prompt(server) == ("assistant", "Half an")
    assert await saved_text(message) == "Half an answer."


async def test_a_model_that_refuses_its_own_text_is_asked_to_continue(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await ask_and_cut(tab, conversation, server, "Half an")
    server.refuse(400, "invalid_request_error", "prefill is not supported")
    server.say(" answer.")
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")
    assert last_prompt(server) == ("user", CONTINUE_REQUEST)
    assert prompt_texts(server)[-2] == "Half an"
    assert await saved_text(message) == "Half an answer."
    assert (await last_reply(conversation)).state == State.COMPLETE


async def test_over_chat_completions_the_model_is_asked_to_continue_at_once(
    tab: Viewer, conversation: Conversation
) -> None:
    with ModelServer("openai") as server:
        await sync_to_async(provider_at)(server)
        message = await ask_and_cut(tab, conversation, server, "Half ", "an ")
        before = len(server.requests)
        server.say(" answer.")
        await act(tab.browser, conversation, message, "continuations")
        await until_it_says(tab, message, "Half an answer.")
        assert len(server.requests) == before + 1
        assert prompt_texts(server) == ["Well?", "Half an", CONTINUE_REQUEST]


async def test_a_model_that_thinks_first_continues_in_the_same_text(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    if either_server.protocol == ProtocolName.ANTHROPIC:
        await Conversation.objects.aupdate(thinking="budget", thinking_budget=1024, max_tokens=4000)
    message = await ask_and_cut(tab, conversation, either_server, "Half a se")
    either_server.say("nten", "ce.", thinking=["Where ", "was I?"])
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half a sentence.")
    assert last_prompt(either_server) == ("user", CONTINUE_REQUEST)
    assert await saved_text(message) == "Half a sentence."
    assert tab.page.article(message) == (await tab.browser.load(conversation)).page.article(message)


async def test_the_thinking_of_the_first_part_stays_in_its_place(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    wire = reply_wire(server.protocol, ["Half a se"], thinking=["Hm."])
    last = max(index for index, event in enumerate(wire) if is_text(event))
    server.stream(*wire[: last + 1], Abort())
    message = (await ask_and_wait(tab, conversation, "Well?")).message_id
    server.forget()
    server.say("ntence.")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.text(message).endswith("Half a sentence."))
    await tab.until_over(message)
    kinds = [block["type"] for block in (await Message.objects.aget(pk=message)).blocks]
    assert (kinds, await saved_text(message)) == (["thinking", "text"], "Half a sentence.")


async def test_an_earlier_answer_continues_without_what_was_said_after_it(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await ask_and_cut(tab, conversation, server, "Half an")
    server.say("Later.")
    await ask_and_wait(tab, conversation, "And then?")
    server.forget()
    server.say(" answer.")
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")
    assert prompt_texts(server) == ["Well?", "Half an"]
    assert texts(tab.page) == ["Well?", "Half an answer.", "And then?", "Later."]


async def test_the_model_that_began_an_answer_continues_it_even_if_another_is_chosen(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await ask_and_cut(tab, conversation, server, "Half an")
    server.say(" answer.")
    other = await model.provider.chat_models.acreate(model_id="other", name="Other model")
    new = await follow(tab.browser, await act(tab.browser, conversation, message, "retries", chat_model=other.pk))
    await new.until_over((await last_reply(conversation)).message_id)
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")
    assert server.requests[-1].json["model"] == "test-model"
