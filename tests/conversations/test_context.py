"""How full the model's memory is, and what can be done when it is: shown, offered, never a silent cut."""

import asyncio
import re
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations import context, memory, turns
from conversations.models import Conversation, Generation, Message, Role, State
from conversations.models.message import text_block
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.fakes import ModelServer
from tests.pages import fragment, words
from tests.viewers import Browser, Viewer
from upstreams import counting
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

PAGE_OF_TEXT = "word " * 400
"""500 tokens, as estimated."""


@pytest.fixture(autouse=True)
def nobody_is_known_not_to_count() -> None:
    counting._counts_nothing.clear()


def fill(conversation: Conversation, owner: User, model: ChatModel, turns: int, size: int = 1) -> None:
    """So many turns, and an answer to each, of so many pages."""
    branch = conversation.path().branch
    for number in range(turns):
        tail = conversation.path().tail()
        said = conversation.add(branch, tail, author=owner, text=f"Question {number}. {PAGE_OF_TEXT * size}")
        reply = conversation.add(
            branch, said.pk, role=Role.ASSISTANT, blocks=[text_block(f"Answer {number}. {PAGE_OF_TEXT * size}")]
        )
        naming = Generation.naming(model)
        Generation.objects.create(conversation=conversation, message=reply, state=State.COMPLETE, **naming)


async def full(conversation: Conversation, owner: User, model: ChatModel, turns: int = 8, window: int = 8000) -> None:
    await ChatModel.objects.aupdate(context_window=window)
    model.context_window = window
    await sync_to_async(fill)(conversation, owner, model, turns)


async def gauge(browser: Browser, conversation: Conversation, **query: Any) -> tuple[str, str]:
    """What stands under the message field, and what is offered above it, if anything is."""
    answer = await browser.http.get(f"/conversations/{conversation.pk}/context/", params=query)
    assert answer.status_code == 200
    page = fragment(answer.text)
    [shown] = page.cssselect(".gauge")
    offers = [words(each) for each in page.cssselect(".offer") if each.get("hidden") is None]
    return words(shown).replace("\xa0", " "), "".join(offers)


def told(server: ModelServer) -> list[str]:
    """The first words of what the model was told last."""
    return [
        re.match(r"\w+ ?\d*", message["content"][0]["text"])[0]  # type: ignore[index]
        for message in server.requests[-1].json["messages"]
    ]


async def ask(tab: Viewer, conversation: Conversation, text: str = "Now?") -> Generation:
    await tab.browser.say(conversation, text)
    reply = await last_reply(conversation)
    await tab.until_over(reply.message_id)
    return await last_reply(conversation)


# ------------------------------------------------------------ the gauge


async def test_the_upstream_counts_where_it_can(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=2, window=200_000)
    server.count = 24_000
    adas = await browser(ada)
    assert await gauge(adas, conversation) == ("Memory: 12 % of 200k", "")
    assert await gauge(adas, conversation) == ("Memory: 12 % of 200k", "")
    [asked] = server.counted
    assert "Question 0." in asked.body.decode() and server.requests == []


async def test_what_was_counted_is_counted_anew_after_a_turn_and_after_a_setting(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=1, window=200_000)
    server.count = 24_000
    adas = await browser(ada)
    await gauge(adas, conversation)
    await Conversation.objects.aupdate(system_prompt="Be kind.")
    server.count = 30_000
    assert (await gauge(adas, conversation))[0] == "Memory: 15 % of 200k"
    server.say("Yes.")
    await ask(await adas.open(conversation), conversation)
    server.count = 50_000
    assert (await gauge(adas, conversation))[0] == "Memory: 25 % of 200k"


async def test_those_who_look_at_the_same_time_are_told_the_same_count(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=1, window=200_000)
    server.count = 24_000
    people = [await browser(person) for person in (ada, ben, ada, ben)]
    shown = await asyncio.gather(*(gauge(person, conversation) for person in people))
    assert shown == [("Memory: 12 % of 200k", "")] * 4
    assert len(server.counted) == 1


async def test_an_estimate_says_that_it_is_one(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=4, window=40_000)
    adas = await browser(ada)
    assert (await gauge(adas, conversation))[0] == "Memory: ≈ 10 % of 40k"
    await ChatModel.objects.aupdate(context_window=None)
    assert (await gauge(adas, conversation))[0] == "Memory: ≈ 4.1k tokens"


async def test_the_gauge_is_about_the_model_that_is_chosen(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=4, window=40_000)
    small = await model.provider.chat_models.acreate(model_id="small", context_window=5000)
    shown, offer = await gauge(await browser(ada), conversation, chat_model=small.pk)
    assert shown == "Memory: ≈ 81 % of 5k" and "small can remember 5,000 tokens" in offer


async def test_without_a_model_there_is_no_gauge(browser: Opening, ada: User, conversation: Conversation) -> None:
    answer = await (await browser(ada)).http.get(f"/conversations/{conversation.pk}/context/")
    assert answer.status_code == 204


async def test_what_the_upstream_reported_makes_for_a_better_estimate(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=2, window=100_000)
    server.say("Yes.", input_tokens=40_000, output_tokens=10_000)
    await ask(await (await browser(ada)).open(conversation), conversation)
    assert (await gauge(await browser(ada), conversation))[0] == "Memory: ≈ 50 % of 100k"


# ------------------------------------------------------------ leaving out the oldest


async def test_when_the_next_turn_does_not_fit_there_is_an_offer_and_posting_goes_on(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model)
    adas = await browser(ada)
    shown, offer = await gauge(adas, conversation)
    assert shown.startswith("Memory: ≈ 10") and "Leave out the oldest turns" in offer
    assert "New conversation with a summary" in offer
    server.say("Yes.")
    await ask(await adas.open(conversation), conversation)
    # Nobody has said that anything is to be left out.
    assert told(server)[0] == "Question 0"


async def test_who_leaves_out_the_oldest_turns_sees_from_where_the_model_remembers(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model)
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    answer = await tabs[0].browser.post(f"/conversations/{conversation.pk}/omissions/")
    assert answer.status_code in (204, 302)
    begin = await Message.objects.aget(memory_begins=True)
    assert (begin.role, begin.text[:10]) == ("user", "Question 5")
    for tab in tabs:
        await tab.until(lambda page: "The model remembers from here" in page.article(begin.pk))
    assert (await gauge(tabs[0].browser, conversation))[1] == ""
    server.say("Yes.")
    reply = await ask(tabs[0], conversation)
    assert told(server) == ["Question 5", "Answer 5", "Question 6", "Answer 6", "Question 7", "Answer 7", "Now"]
    assert reply.notes == ["The oldest 10 messages were left out, to fit into what the model can remember."]


async def test_everything_can_be_remembered_again(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model)
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.post(f"/conversations/{conversation.pk}/omissions/")
    begin = await Message.objects.aget(memory_begins=True)
    await tab.until(lambda page: "remembers from here" in page.article(begin.pk))
    await tab.browser.post(f"/conversations/{conversation.pk}/omissions/undo/")
    await tab.until(lambda page: "remembers from here" not in page.article(begin.pk))
    server.say("Yes.")
    await ask(tab, conversation)
    assert told(server)[0] == "Question 0"


async def test_leaving_out_twice_draws_one_line(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    await full(conversation, ada, model)
    for _ in range(2):
        await (await browser(ada)).post(f"/conversations/{conversation.pk}/omissions/")
    assert [message.text[:10] async for message in Message.objects.filter(memory_begins=True)] == ["Question 7"]


async def test_the_latest_turn_is_never_left_out(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=1, window=1000)
    adas = await browser(ada)
    await adas.post(f"/conversations/{conversation.pk}/omissions/")
    assert not await Message.objects.filter(memory_begins=True).aexists()
    offer = (await gauge(adas, conversation))[1]
    assert "The latest turn alone is too long" in offer and "Leave out" not in offer


async def test_the_oldest_are_left_out_without_asking_where_that_was_said(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model)
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.post(f"/conversations/{conversation.pk}/omissions/", always="on")
    assert (await Conversation.objects.aget(pk=conversation.pk)).leaves_out_oldest
    server.say("Yes.")
    await ask(tab, conversation)
    assert told(server)[0] == "Question 5"
    await sync_to_async(fill)(conversation, ada, model, 6)
    await ask(tab, conversation, "And now?")
    begin = await Message.objects.aget(memory_begins=True)
    assert begin.text[:10] == told(server)[0] == "Question 2"
    # What was filled in behind the tab's back is on a page that is loaded now.
    tab = await tab.browser.load(conversation)
    assert "remembers from here" in tab.page.article(begin.pk)


async def test_the_line_holds_on_branches_that_have_it(
    ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model)
    path = await sync_to_async(conversation.path)()
    await sync_to_async(memory.leave_out)(path, model)
    replies = [message async for message in conversation.messages.filter(role=Role.ASSISTANT).order_by("pk")]

    def remembered_after_retry(reply: Message) -> list[str]:
        again = turns.retry(Message.objects.for_reading().get(pk=reply.pk), ada, model).message
        return [said.text[:10] for said in again.branch.conversation.path(again.branch_id).remembered()]

    assert (await sync_to_async(remembered_after_retry)(replies[-1]))[0] == "Question 5"
    assert (await sync_to_async(remembered_after_retry)(replies[2]))[0] == "Question 0"


async def test_a_copy_remembers_as_its_source_does(ada: User, conversation: Conversation, model: ChatModel) -> None:
    await full(conversation, ada, model)

    def copied() -> list[str]:
        memory.leave_out(conversation.path(), model)
        last = conversation.messages.for_reading().last()
        assert last is not None
        copy = turns.fork(last, ada)
        return [message.text[:10] for message in copy.messages.filter(memory_begins=True)]

    assert await sync_to_async(copied)() == ["Question 5"]


async def test_an_answer_from_before_the_line_is_continued_with_what_was_said_before_it(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model)
    path = await sync_to_async(conversation.path)()
    await sync_to_async(memory.leave_out)(path, model)
    early = await conversation.messages.filter(role=Role.ASSISTANT).order_by("pk").afirst()
    assert early is not None
    await Generation.objects.filter(message=early).aupdate(state=State.STOPPED)
    server.say(" And on.")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.post(f"/conversations/{conversation.pk}/messages/{early.pk}/continuations/")
    await tab.until(lambda page: "And on." in page.text(early.pk) and page.state(early.pk) == "complete")
    assert told(server) == ["Question 0", "Answer 0"]


# ------------------------------------------------------------ a server refuses

TOO_LONG = "prompt is too long: 9000 tokens > 8000 maximum"


async def test_a_refusal_for_its_length_offers_the_same_at_the_answer_that_failed(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, window=1_000_000)
    server.refuse(400, "invalid_request_error", TOO_LONG)
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    failed = await ask(tab, conversation)
    assert (failed.state, failed.error_kind) == (State.FAILED, "request_too_large")
    shown = tab.page.article(failed.message_id)
    assert "Leave out the oldest turns and retry" in shown and "New conversation with a summary" in shown
    answer = await tab.browser.post(f"/conversations/{conversation.pk}/omissions/", retry=failed.message_id)
    assert answer.status_code in (200, 302)
    again = await last_reply(conversation)
    await (await (await browser(ada)).open(conversation)).until_over(again.message_id)
    assert (await last_reply(conversation)).state == State.COMPLETE
    assert told(server)[0] == "Question 5" and told(server)[-1] == "Now"


async def test_other_refusals_offer_nothing_of_the_kind(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.refuse(400, "invalid_request_error", "no")
    tab = await (await browser(ada)).open(conversation)
    failed = await ask(tab, conversation)
    assert "Leave out" not in tab.page.article(failed.message_id)


async def test_an_answer_that_was_cut_by_a_full_window_offers_it_too(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Half of", stop="model_context_window_exceeded")
    tab = await (await browser(ada)).open(conversation)
    cut = await ask(tab, conversation)
    assert "Leave out the oldest turns and retry" in tab.page.article(cut.message_id)


# ------------------------------------------------------------ a summary


async def test_a_new_conversation_begins_with_a_summary(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=3, window=100_000)
    await Conversation.objects.aupdate(title="Tea", system_prompt="Be brief.", temperature=0.5)
    server.say("In short: tea.")
    bens = await browser(ben)
    answer = await bens.post(f"/conversations/{conversation.pk}/summaries/")
    begun = await Conversation.objects.exclude(pk=conversation.pk).aget()
    assert f"/conversations/{begun.pk}/" in (answer.headers.get("location") or answer.headers["hx-redirect"])
    assert (begun.title, begun.system_prompt, begun.temperature) == ("Tea, continued", "Be brief.", 0.5)
    assert [each.user_id async for each in begun.participants.all()] == [ben.pk]
    tab = await bens.open(begun)
    await tab.until_over((await last_reply(begun)).message_id)
    [message] = server.requests[-1].json["messages"]
    text = message["content"][0]["text"]
    places = [text.index(said) for said in ("Sum it up", "**Ada Lovelace:** Question 0.", "**Test model:** Answer 2.")]
    assert places == sorted(places)


async def test_of_a_long_conversation_the_end_is_summed_up_and_that_is_said(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await full(conversation, ada, model, turns=20, window=8000)
    server.say("In short.")
    await (await browser(ada)).post(f"/conversations/{conversation.pk}/summaries/")
    begun = await Conversation.objects.exclude(pk=conversation.pk).aget()
    first = await begun.messages.order_by("pk").afirst()
    assert first is not None
    assert "[What was said at the beginning is left out here.]" in first.text
    assert "Answer 19." in first.text and "Question 0." not in first.text
    assert context.tokens_in(first) < 4000


async def test_chat_completions_have_a_gauge_too(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer
) -> None:
    model = await sync_to_async(provider_at)(either_server, "Either")
    await full(conversation, ada, model, turns=4, window=40_000)
    assert (await gauge(await browser(ada), conversation))[0] == "Memory: ≈ 10 % of 40k"
