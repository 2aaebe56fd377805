"""A model that is switched off, or whose provider is, answers nothing more: not in any way, nor from an old page."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from httpx import Response
from lxml import html

from accounts.models import User
from conversations.answering import replies
from conversations.models import Conversation, Generation, State
from tests.conversations.asking import last_reply, provider_at, queue_turn
from tests.conversations.cutting import ask_and_cut, saved_text
from tests.conversations.talking import act, ask_and_wait, until_it_says
from tests.conversations.verbs.desk import Desk
from tests.fakes import ModelServer
from tests.steps import Gate
from tests.viewers import PATIENCE, Viewer
from tests.wires import reply_wire
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db(transaction=True)

type Switch = Callable[[ChatModel], Awaitable[int]]

HELLO = ("toolu_1", "drawer__echo", {"text": "hello"})
SENTENCE = "Test model is switched off. Choose another model, or ask an administrator to switch it on."


@pytest.fixture(params=["model", "provider"])
def switch_off(request: pytest.FixtureRequest) -> Switch:
    """`await switch_off(model)` switches the model off, or all models of its provider."""

    def turn_off(model: ChatModel) -> int:
        if request.param == "model":
            return ChatModel.objects.filter(pk=model.pk).update(is_enabled=False, is_default=False)
        return Provider.objects.filter(pk=model.provider_id).update(is_enabled=False)

    return sync_to_async(turn_off)


@pytest.fixture
async def other(db: None, server: ModelServer) -> ChatModel:
    """A model that stays on."""
    other: ChatModel = await sync_to_async(provider_at)(server, "Other", model_id="other", name="Other model")
    return other


def error_in(answer: Response) -> str:
    """The error that an answer puts into the composer or the form."""
    return " ".join(html.fromstring(answer.text).text_content().split())


async def test_its_answer_is_not_continued(
    tab: Viewer, conversation: Conversation, server: ModelServer, other: ChatModel, model: ChatModel, switch_off: Switch
) -> None:
    message = await ask_and_cut(tab, conversation, server, "Half an")
    await switch_off(model)
    asked = len(server.requests)
    answer = await act(tab.browser, conversation, message, "continuations")
    assert (answer.status_code, error_in(answer)) == (422, SENTENCE)
    assert (len(server.requests), await saved_text(message)) == (asked, "Half an")
    assert (await last_reply(conversation)).state == State.INTERRUPTED
    await ChatModel.objects.aupdate(is_enabled=True)
    await Provider.objects.aupdate(is_enabled=True)
    server.say(" answer.")
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")


@pytest.mark.parametrize("is_htmx", [True, False])
async def test_an_old_page_that_names_it_cannot_retry(
    tab: Viewer,
    conversation: Conversation,
    server: ModelServer,
    other: ChatModel,
    model: ChatModel,
    switch_off: Switch,
    is_htmx: bool,
) -> None:
    server.say("Yes.")
    reply = await ask_and_wait(tab, conversation, "Well?")
    await switch_off(model)
    address = f"/conversations/{conversation.pk}/messages/{reply.message_id}/retries/"
    answer = await tab.browser.post(address, htmx=is_htmx, chat_model=model.pk)
    assert answer.status_code == 422 and SENTENCE in error_in(answer)
    assert (len(server.requests), await conversation.messages.acount()) == (1, 2)


async def test_an_old_page_that_names_it_cannot_ask_for_anything(
    tab: Viewer, conversation: Conversation, server: ModelServer, other: ChatModel, model: ChatModel, switch_off: Switch
) -> None:
    server.say("Yes.")
    reply = await ask_and_wait(tab, conversation, "Well?")
    question = tab.page.messages[0]
    await switch_off(model)
    for address, fields in (
        (f"/conversations/{conversation.pk}/turns/", {"text": "And?"}),
        ("/turns/", {"text": "Hello?"}),
        (f"/conversations/{conversation.pk}/messages/{question}/edits/", {"text": "How?"}),
        (f"/conversations/{conversation.pk}/summaries/", {}),
        (f"/conversations/{conversation.pk}/omissions/", {"retry": reply.message_id}),
    ):
        answer = await tab.browser.post(address, chat_model=model.pk, **fields)
        assert answer.status_code == 422, address
        assert "Choose another" in error_in(answer), address
    gauge = await tab.browser.get(f"/conversations/{conversation.pk}/context/?chat_model={model.pk}")
    assert gauge.status_code == 204
    assert (len(server.requests), len(server.counted), await Generation.objects.acount()) == (1, 0, 1)
    assert await Conversation.objects.acount() == 1


async def test_the_edit_form_sends_the_model_that_the_page_shows(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    await ask_and_wait(tab, conversation, "Well?")
    address = f"/conversations/{conversation.pk}/messages/{tab.page.messages[0]}/edits/"
    form = html.fromstring((await tab.browser.get(address, **{"hx-request": "true"})).text)
    assert form.get("hx-include") == "#model"


async def test_queued_turns_are_not_asked_and_the_next_one_is(
    tab: Viewer, conversation: Conversation, server: ModelServer, other: ChatModel, model: ChatModel, switch_off: Switch
) -> None:
    gate = Gate()
    server.stream(gate, *reply_wire(server.protocol, ["First."]))
    server.say("Third.")
    first, second, third = [
        await last_reply(conversation)
        for text, named in (("One?", model), ("Two?", model), ("Three?", other))
        if await tab.browser.say(conversation, text, chat_model=named.pk)
    ]
    assert await asyncio.to_thread(gate.reached.wait, PATIENCE)
    await switch_off(model)
    gate.open()
    await tab.until_over(third.message_id)
    states = [tab.page.state(reply.message_id) for reply in (first, second, third)]
    assert states == ["complete", "failed", "complete"]
    assert SENTENCE in tab.page.article(second.message_id)
    assert [request.json["model"] for request in server.requests] == ["test-model", "other"]


async def test_the_next_round_of_a_running_answer_is_not_asked(desk: Desk, switch_off: Switch) -> None:
    name = f"round {uuid4()}"
    await desk.use("slow")
    desk.reply_with_calls(("toolu_1", "drawer__slow", {"name": name}), text="Let me see.")
    reply = await desk.ask()
    await desk.drawer.saw("began", name)
    await switch_off(desk.model)
    desk.drawer.end(name)
    await desk.until(reply, State.INTERRUPTED)
    assert SENTENCE in desk.tab.page.article(reply.message_id)
    assert (len(desk.server.requests), desk.progress) == (1, ["done"])


async def test_a_tool_that_is_allowed_later_does_not_run(desk: Desk, switch_off: Switch) -> None:
    await desk.use("echo", ask_first=True)
    desk.reply_with_calls(HELLO, text="May I?")
    desk.server.say("Thank you.")
    reply = await desk.ask_and_wait()
    await switch_off(desk.model)
    assert await desk.decide(reply, "toolu_1", "once") == 204
    await desk.until(reply, State.INTERRUPTED)
    assert SENTENCE in desk.tab.page.article(reply.message_id)
    assert (len(desk.server.requests), desk.progress) == (1, ["dropped"])
    assert desk.tab.page.text(reply.message_id).startswith("May I?")


@pytest.mark.usefixtures("loop_left_clean")
async def test_an_answer_that_a_restart_finds_queued_is_not_asked(
    ada: User, conversation: Conversation, server: ModelServer, model: ChatModel, switch_off: Switch
) -> None:
    generation = await sync_to_async(queue_turn)(conversation, ada, "Well?", model)
    await switch_off(model)
    await replies.generate.func(generation.pk)
    reply = await last_reply(conversation)
    assert (reply.state, reply.error_kind, reply.error_message) == (State.FAILED, "model_off", SENTENCE)
    assert not server.requests
