"""Continue: an answer that was cut off continues in the same message, as if it never had been."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Path, State
from conversations.models.message import text_block
from conversations.upkeep import recovery
from conversations.verbs.writing import add_turn
from tests.conversations.asking import Opening, ask_and_read, begin_and_hang, last_reply, provider_at
from tests.conversations.cutting import ask_and_cut, broken_reply, saved_text
from tests.conversations.talking import act, actions_of, ask_and_wait, texts, until_it_says
from tests.fakes import ModelServer
from tests.pages import words
from tests.steps import Abort
from tests.viewers import Viewer
from tests.wires import is_text, reply_wire
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_stopped_answer_continues_in_the_same_message(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    begin_and_hang(either_server, "I could ", "go on")
    message = await ask_and_read(tab, conversation, "Well?", "I could go on")
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await tab.until_over(message)
    assert "Continue" in actions_of(tab.page, message)
    either_server.forget()
    either_server.say(" and ", "on.")
    assert (await act(tab.browser, conversation, message, "continuations")).status_code == 204
    await until_it_says(tab, message, "I could go on and on.")
    reply = await last_reply(conversation)
    assert (reply.state, reply.message_id, await saved_text(message)) == ("complete", message, "I could go on and on.")
    assert texts(tab.page) == ["Well?", "I could go on and on."]
    assert "Continue" not in actions_of(tab.page, message)
    assert tab.page.article(message) == (await tab.browser.load(conversation)).page.article(message)


async def test_an_interrupted_answer_continues_in_the_middle_of_a_word(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    message = await ask_and_cut(tab, conversation, either_server, "One **tw", "o** thr")
    either_server.say("ee.\n\n- fo", "ur")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.text(message).endswith("four"))
    await tab.until_over(message)
    assert words(tab.page.one(f"#m{message} li")) == "four"
    assert await saved_text(message) == "One **two** three.\n\n- four"
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
    assert await saved_text(message) == "One two three"


async def test_everybody_sees_the_continuation_grow_and_latecomers_see_all_of_it(
    browser: Opening,
    ben: User,
    tab: Viewer,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
) -> None:
    message = await ask_and_cut(tab, conversation, either_server, "One ", "two")
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
    message = await ask_and_cut(tab, conversation, either_server, "One")
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
    assert await saved_text(message) == "One two three four"


async def test_a_continuation_that_fails_keeps_all_text(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    message = await ask_and_cut(tab, conversation, either_server, "One")
    either_server.stream(*broken_reply(either_server, " two", " three"))
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.text(message) == "One two three")
    await tab.until_over(message)
    assert tab.page.state(message) == "interrupted"
    assert await saved_text(message) == "One two three"
    assert "Continue" in actions_of(tab.page, message)


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_an_upstream_that_refuses_to_continue_leaves_the_text_unchanged(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel, status: int
) -> None:
    message = await ask_and_cut(tab, conversation, either_server, "Half an")
    either_server.refuse(status, "api_error", "no", retry_after="0")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.state(message) in ("queued", "running"))
    await tab.until_over(message)
    reply = await last_reply(conversation)
    assert (tab.page.text(message), await saved_text(message)) == ("Half an", "Half an")
    article = tab.page.article(message)
    assert reply.error_message in article and "No answer." not in article
    assert {"Continue", "Retry"} <= actions_of(tab.page, message)


async def test_people_who_press_continue_at_once_get_one_continuation(
    browser: Opening, ben: User, tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await ask_and_cut(tab, conversation, server, "Half an")
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
    assert [await saved_text(message) for message in (whole, failed, said)] == ["Whole.", "", "One?"]


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
    message = await ask_and_read(tab, conversation, "Well?", "I could go on")
    await act(tab.browser, conversation, message, "continuations")
    assert await Generation.objects.acount() == 1


async def test_a_stranger_cannot_continue_an_answer(
    browser: Opening, mallory: User, tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await ask_and_cut(tab, conversation, server, "Half an")
    assert (await act(await browser(mallory), conversation, message, "continuations")).status_code == 404
    assert await Generation.objects.acount() == 1


async def test_without_scripts_continuing_leads_back_to_the_branch(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    message = await ask_and_cut(tab, conversation, server, "Half an")
    server.say(" answer.")
    answer = await act(tab.browser, conversation, message, "continuations", htmx=False)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")
    await until_it_says(tab, message, "Half an answer.")


@pytest.mark.parametrize("said", [" Half \n an", "Half an  ", "```\ncode", "日本語🙂", "a\u2028b"])
async def test_no_character_is_lost_or_doubled_between_the_parts(
    ada: User, tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel, said: str
) -> None:
    def crash() -> int:
        generation = add_turn(Path.through(conversation), ada, "Well?", model)
        Generation.objects.filter(pk=generation.pk).update(state=State.RUNNING)
        Message.objects.filter(pk=generation.message_id).update(blocks=[text_block(said)])
        recovery.recover()
        return generation.message_id

    message = await sync_to_async(crash)()
    await tab.close()
    tab = await tab.browser.open(conversation)
    server.say(" more")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.has(message) and page.state(message) == "complete")
    assert await saved_text(message) == said.rstrip() + " more"
