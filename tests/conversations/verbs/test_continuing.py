"""Continue: an answer that was cut off continues in the same message, as if it never had been."""

import asyncio
from collections.abc import Iterable

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Path, State
from conversations.models.message import text_block
from conversations.prompt.transcript import GO_ON
from conversations.upkeep import recovery
from conversations.verbs.writing import add_turn
from tests.conversations.asking import Opening, begin_and_hang, last_reply, provider_at
from tests.conversations.talking import act, actions_of, ask_and_wait, follow, prompt_texts, texts, until_it_says
from tests.fakes import ModelServer
from tests.pages import words
from tests.steps import Abort, Step
from tests.viewers import Viewer
from tests.wires import is_text, reply_wire
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


def broken_off(server: ModelServer, *pieces: str) -> Iterable[Step]:
    """The beginning of a reply, after which the connection breaks."""
    wire = reply_wire(server.protocol, pieces)
    last = max(index for index, event in enumerate(wire) if is_text(event))
    return [*wire[: last + 1], Abort()]


async def cut(tab: Viewer, conversation: Conversation, server: ModelServer, *pieces: str) -> int:
    """Asks, and gets only part of an answer. Returns its message."""
    server.forget()
    server.stream(*broken_off(server, *pieces))
    reply = await ask_and_wait(tab, conversation, "Well?")
    assert reply.state == State.INTERRUPTED
    server.forget()
    return reply.message_id


async def text_of(message: int) -> str:
    return (await Message.objects.aget(pk=message)).text


def asked_last(server: ModelServer) -> tuple[str, str]:
    """The role and text of the last message that the model got."""
    return server.requests[-1].json["messages"][-1]["role"], prompt_texts(server)[-1]


@pytest.fixture
async def tab(browser: Opening, ada: User, conversation: Conversation) -> Viewer:
    return await (await browser(ada)).open(conversation)


async def test_a_stopped_answer_continues_in_the_same_message(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    begin_and_hang(either_server, "I could ", "go on")
    await tab.browser.say(conversation, "Well?")
    message = (await last_reply(conversation)).message_id
    await tab.until(lambda page: page.has(message) and page.text(message) == "I could go on")
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await tab.until_over(message)
    assert "Continue" in actions_of(tab.page, message)
    either_server.forget()
    either_server.say(" and ", "on.")
    assert (await act(tab.browser, conversation, message, "continuations")).status_code == 204
    await until_it_says(tab, message, "I could go on and on.")
    reply = await last_reply(conversation)
    assert (reply.state, reply.message_id, await text_of(message)) == ("complete", message, "I could go on and on.")
    assert texts(tab.page) == ["Well?", "I could go on and on."]
    assert "Continue" not in actions_of(tab.page, message)
    assert tab.page.article(message) == (await tab.browser.load(conversation)).page.article(message)


async def test_an_interrupted_answer_continues_in_the_middle_of_a_word(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    message = await cut(tab, conversation, either_server, "One **tw", "o** thr")
    either_server.say("ee.\n\n- fo", "ur")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.text(message).endswith("four"))
    await tab.until_over(message)
    assert words(tab.page.one(f"#m{message} li")) == "four"
    assert await text_of(message) == "One **two** three.\n\n- four"
    assert len(tab.page.find(f"#m{message} .markdown")) == 1


@pytest.mark.parametrize("protocol", ["anthropic", "openai"])
async def test_an_answer_cut_by_its_length_says_so_and_continues(
    tab: Viewer, conversation: Conversation, protocol: str
) -> None:
    with ModelServer(protocol) as server:
        await sync_to_async(provider_at)(server)
        server.say("One ", "two", stop="max_tokens" if protocol == "anthropic" else "length")
        message = (await ask_and_wait(tab, conversation, "Count")).message_id
        assert "Stopped at the length limit – press Continue for the rest" in tab.page.article(message)
        assert "Continue" in actions_of(tab.page, message)
        server.forget()
        server.say(" three")
        await act(tab.browser, conversation, message, "continuations")
        await until_it_says(tab, message, "One two three")
    assert "Stopped at the length limit – press Continue for the rest" not in tab.page.article(message)
    assert await text_of(message) == "One two three"


@pytest.mark.parametrize("end", ["", " ", "\n\n", " \t\n"])
async def test_over_messages_the_model_continues_its_own_text_without_trailing_white_space(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel, end: str
) -> None:
    message = await cut(tab, conversation, server, "Half an", *([end] if end else []))
    server.say(" answer.")
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")
    assert asked_last(server) == ("assistant", "Half an")
    assert await text_of(message) == "Half an answer."


async def test_a_model_that_refuses_its_own_text_is_asked_to_continue(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await cut(tab, conversation, server, "Half an")
    server.refuse(400, "invalid_request_error", "prefill is not supported")
    server.say(" answer.")
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")
    assert asked_last(server) == ("user", GO_ON)
    assert prompt_texts(server)[-2] == "Half an"
    assert await text_of(message) == "Half an answer."
    assert (await last_reply(conversation)).state == State.COMPLETE


async def test_over_chat_completions_the_model_is_asked_to_continue_at_once(
    tab: Viewer, conversation: Conversation
) -> None:
    with ModelServer("openai") as server:
        await sync_to_async(provider_at)(server)
        message = await cut(tab, conversation, server, "Half ", "an ")
        before = len(server.requests)
        server.say(" answer.")
        await act(tab.browser, conversation, message, "continuations")
        await until_it_says(tab, message, "Half an answer.")
        assert len(server.requests) == before + 1
        assert prompt_texts(server) == ["Well?", "Half an", GO_ON]


async def test_a_model_that_thinks_first_continues_in_the_same_text(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    if either_server.protocol == ProtocolName.ANTHROPIC:
        await Conversation.objects.aupdate(thinking="budget", thinking_budget=1024, max_tokens=4000)
    message = await cut(tab, conversation, either_server, "Half a se")
    either_server.say("nten", "ce.", thinking=["Where ", "was I?"])
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half a sentence.")
    assert asked_last(either_server) == ("user", GO_ON)
    assert await text_of(message) == "Half a sentence."
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
    assert (kinds, await text_of(message)) == (["thinking", "text"], "Half a sentence.")


async def test_everybody_sees_the_continuation_grow_and_latecomers_see_all_of_it(
    browser: Opening,
    ben: User,
    tab: Viewer,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
) -> None:
    message = await cut(tab, conversation, either_server, "One ", "two")
    bens = await (await browser(ben)).open(conversation)
    either_server.say(" three", " four", " five")
    either_server.hold()
    await act(tab.browser, conversation, message, "continuations")
    either_server.step()
    for viewer in (tab, bens):
        await viewer.until(lambda page: page.text(message) == "One two three")
    late = await (await browser(ben)).open(conversation)
    await late.until(lambda page: page.text(message) == "One two three")
    either_server.step()
    for viewer in (tab, bens, late):
        await viewer.until(lambda page: page.text(message) == "One two three four")
    either_server.release()
    for viewer in (tab, bens, late):
        await until_it_says(viewer, message, "One two three four five")


async def test_a_continuation_can_be_stopped_and_continued_again(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    message = await cut(tab, conversation, either_server, "One")
    begin_and_hang(either_server, " two", " three")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.text(message) == "One two three")
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await tab.until_over(message)
    assert tab.page.text(message) == "One two three"
    either_server.forget()
    either_server.say(" four")
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "One two three four")
    assert await text_of(message) == "One two three four"


async def test_a_continuation_that_fails_keeps_all_text(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    message = await cut(tab, conversation, either_server, "One")
    either_server.stream(*broken_off(either_server, " two", " three"))
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.text(message) == "One two three")
    await tab.until_over(message)
    assert tab.page.state(message) == "interrupted"
    assert await text_of(message) == "One two three"
    assert "Continue" in actions_of(tab.page, message)


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_an_upstream_that_refuses_to_continue_leaves_the_text_unchanged(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel, status: int
) -> None:
    message = await cut(tab, conversation, either_server, "Half an")
    either_server.refuse(status, "api_error", "no", retry_after="0")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.state(message) in ("queued", "running"))
    await tab.until_over(message)
    reply = await last_reply(conversation)
    assert (tab.page.text(message), await text_of(message)) == ("Half an", "Half an")
    article = tab.page.article(message)
    assert reply.error_message in article and "No answer." not in article
    assert {"Continue", "Retry"} <= actions_of(tab.page, message)


async def test_people_who_press_continue_at_once_get_one_continuation(
    browser: Opening, ben: User, tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await cut(tab, conversation, server, "Half an")
    server.say(" answer.")
    before = len(server.requests)
    bens = await browser(ben)
    await asyncio.gather(
        *(act(each, conversation, message, "continuations") for each in (tab.browser, bens) for _ in range(3))
    )
    await until_it_says(tab, message, "Half an answer.")
    assert len(server.requests) == before + 1
    assert await Generation.objects.acount() == 2


async def test_an_answer_with_nothing_to_continue_from_stays_as_it_is(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Whole.")
    server.refuse(401, "authentication_error", "no")
    whole = (await ask_and_wait(tab, conversation, "One?")).message_id
    failed = (await ask_and_wait(tab, conversation, "Two?")).message_id
    said = tab.page.messages[0]
    for message in (whole, failed, said):
        assert "Continue" not in actions_of(tab.page, message)
        assert (await act(tab.browser, conversation, message, "continuations")).status_code == 204
    assert (await Generation.objects.acount(), len(server.requests)) == (2, 2)
    assert [await text_of(message) for message in (whole, failed, said)] == ["Whole.", "", "One?"]


async def test_an_answer_of_thinking_alone_cannot_be_continued(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    wire = reply_wire(server.protocol, ["Text"], thinking=["Hm."])
    thinking = next(index for index, event in enumerate(wire) if is_text(event))
    server.stream(*wire[: thinking + 1], Abort())
    message = (await ask_and_wait(tab, conversation, "Well?")).message_id
    assert "Continue" not in actions_of(tab.page, message) and "Retry" in actions_of(tab.page, message)
    await act(tab.browser, conversation, message, "continuations")
    assert await Generation.objects.acount() == 1


async def test_a_running_answer_cannot_be_continued(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    await tab.browser.say(conversation, "Well?")
    message = (await last_reply(conversation)).message_id
    await tab.until(lambda page: page.has(message) and page.text(message) == "I could go on")
    await act(tab.browser, conversation, message, "continuations")
    assert await Generation.objects.acount() == 1


async def test_an_earlier_answer_continues_without_what_was_said_after_it(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await cut(tab, conversation, server, "Half an")
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
    message = await cut(tab, conversation, server, "Half an")
    server.say(" answer.")
    other = await model.provider.chat_models.acreate(model_id="other", name="Other model")
    new = await follow(tab.browser, await act(tab.browser, conversation, message, "retries", chat_model=other.pk))
    await new.until_over((await last_reply(conversation)).message_id)
    await act(tab.browser, conversation, message, "continuations")
    await until_it_says(tab, message, "Half an answer.")
    assert server.requests[-1].json["model"] == "test-model"


async def test_a_stranger_cannot_continue_an_answer(
    browser: Opening, mallory: User, tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await cut(tab, conversation, server, "Half an")
    assert (await act(await browser(mallory), conversation, message, "continuations")).status_code == 404
    assert await Generation.objects.acount() == 1


async def test_without_scripts_continuing_leads_back_to_the_branch(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await cut(tab, conversation, server, "Half an")
    server.say(" answer.")
    answer = await act(tab.browser, conversation, message, "continuations", htmx=False)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")
    await until_it_says(tab, message, "Half an answer.")


@pytest.mark.parametrize("said", [" Half \n an", "Half an  ", "```\ncode", "日本語🙂", "a\u2028b"])
async def test_no_character_is_lost_or_doubled_between_the_parts(
    ada: User, tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel, said: str
) -> None:
    def crashed() -> int:
        generation = add_turn(Path.through(conversation), ada, "Well?", model)
        Generation.objects.filter(pk=generation.pk).update(state=State.RUNNING)
        Message.objects.filter(pk=generation.message_id).update(blocks=[text_block(said)])
        recovery.recover()
        return generation.message_id

    message = await sync_to_async(crashed)()
    await tab.close()
    tab = await tab.browser.open(conversation)
    server.say(" more")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.has(message) and page.state(message) == "complete")
    assert await text_of(message) == said.rstrip() + " more"
