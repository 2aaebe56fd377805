"""When the context window is full, people are offered a way on, and nothing is cut silently."""

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Path, Role, State
from conversations.verbs import forking, trimming, turns
from tests.conversations.asking import Opening, last_reply
from tests.conversations.talking import ask_and_wait
from tests.conversations.verbs.remembering import fill, fill_context, gauge, prompt_starts
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_when_the_next_turn_does_not_fit_trimming_is_offered_and_posting_still_works(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model)
    adas = await browser(ada)
    shown, offer = await gauge(adas, conversation)
    assert shown.startswith("Context: ≈ 10") and "Drop the oldest messages from context" in offer
    assert "Summarise into a new conversation" in offer
    server.say("Yes.")
    await ask_and_wait(await adas.open(conversation), conversation, "Now?")
    # Nobody has asked to trim anything.
    assert prompt_starts(server)[0] == "Question 0"


async def test_a_line_shows_where_the_context_starts_after_trimming(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model)
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    answer = await tabs[0].browser.post(f"/conversations/{conversation.pk}/omissions/")
    assert answer.status_code in (204, 302)
    begin = await Message.objects.aget(memory_begins=True)
    assert (begin.role, begin.text[:10]) == ("user", "Question 5")
    for tab in tabs:
        await tab.until(lambda page: "Messages above are no longer in context" in page.article(begin.pk))
    assert (await gauge(tabs[0].browser, conversation))[1] == ""
    server.say("Yes.")
    reply = await ask_and_wait(tabs[0], conversation, "Now?")
    assert prompt_starts(server) == [
        "Question 5",
        "Answer 5",
        "Question 6",
        "Answer 6",
        "Question 7",
        "Answer 7",
        "Now",
    ]
    assert reply.notes == ["The oldest 10 messages were left out to fit the model’s context window."]


async def test_all_turns_can_be_included_again(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model)
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.post(f"/conversations/{conversation.pk}/omissions/")
    begin = await Message.objects.aget(memory_begins=True)
    await tab.until(lambda page: "no longer in context" in page.article(begin.pk))
    await tab.browser.post(f"/conversations/{conversation.pk}/omissions/undo/")
    await tab.until(lambda page: "no longer in context" not in page.article(begin.pk))
    server.say("Yes.")
    await ask_and_wait(tab, conversation, "Now?")
    assert prompt_starts(server)[0] == "Question 0"


async def test_trimming_twice_draws_one_line(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model)
    for _ in range(2):
        await (await browser(ada)).post(f"/conversations/{conversation.pk}/omissions/")
    assert [message.text[:10] async for message in Message.objects.filter(memory_begins=True)] == ["Question 7"]


async def test_the_latest_turn_is_never_trimmed(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=1, window=1000)
    adas = await browser(ada)
    await adas.post(f"/conversations/{conversation.pk}/omissions/")
    assert not await Message.objects.filter(memory_begins=True).aexists()
    offer = (await gauge(adas, conversation))[1]
    assert "The last message alone is too long" in offer and "Drop the oldest" not in offer


async def test_a_conversation_that_is_set_to_trim_itself_does_so_without_asking(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model)
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.post(f"/conversations/{conversation.pk}/omissions/", always="on")
    assert (await Conversation.objects.aget(pk=conversation.pk)).leaves_out_oldest
    server.say("Yes.")
    await ask_and_wait(tab, conversation, "Now?")
    assert prompt_starts(server)[0] == "Question 5"
    await sync_to_async(fill)(conversation, ada, model, 6)
    await ask_and_wait(tab, conversation, "And now?")
    begin = await Message.objects.aget(memory_begins=True)
    assert begin.text[:10] == prompt_starts(server)[0] == "Question 2"
    # The rows were added behind the tab's back, so the page is loaded again.
    tab = await tab.browser.load(conversation)
    assert "no longer in context" in tab.page.article(begin.pk)


async def test_the_line_applies_on_every_branch_that_has_it(
    ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model)
    path = await sync_to_async(Path.through)(conversation)
    await sync_to_async(trimming.trim_oldest_turns)(path, model, ada)
    replies = [message async for message in conversation.messages.filter(role=Role.ASSISTANT).order_by("pk")]

    def context_after_retry(reply: Message) -> list[str]:
        again = turns.retry(Message.objects.for_reading().get(pk=reply.pk), ada, model).message
        return [said.text[:10] for said in Path.to(again.branch).in_context()]

    assert (await sync_to_async(context_after_retry)(replies[-1]))[0] == "Question 5"
    assert (await sync_to_async(context_after_retry)(replies[2]))[0] == "Question 0"


async def test_a_fork_starts_its_context_where_its_source_does(
    ada: User, conversation: Conversation, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model)

    def fork_marks() -> list[str]:
        trimming.trim_oldest_turns(Path.through(conversation), model, ada)
        last = conversation.messages.for_reading().last()
        assert last is not None
        copy = forking.fork(last, ada)
        return [message.text[:10] for message in copy.messages.filter(memory_begins=True)]

    assert await sync_to_async(fork_marks)() == ["Question 5"]


async def test_an_answer_before_the_line_is_continued_with_what_precedes_it(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model)
    path = await sync_to_async(Path.through)(conversation)
    await sync_to_async(trimming.trim_oldest_turns)(path, model, ada)
    early = await conversation.messages.filter(role=Role.ASSISTANT).order_by("pk").afirst()
    assert early is not None
    await Generation.objects.filter(message=early).aupdate(state=State.STOPPED)
    server.say(" And on.")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.post(f"/conversations/{conversation.pk}/messages/{early.pk}/continuations/")
    await tab.until(lambda page: "And on." in page.text(early.pk) and page.state(early.pk) == "complete")
    assert prompt_starts(server) == ["Question 0", "Answer 0"]


TOO_LONG = "prompt is too long: 9000 tokens > 8000 maximum"


async def test_an_answer_refused_for_its_length_offers_trimming(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, window=1_000_000)
    server.refuse(400, "invalid_request_error", TOO_LONG)
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    failed = await ask_and_wait(tab, conversation, "Now?")
    assert (failed.state, failed.error_kind) == (State.FAILED, "request_too_large")
    shown = tab.page.article(failed.message_id)
    assert "Drop the oldest messages and retry" in shown and "Summarise into a new conversation" in shown
    answer = await tab.browser.post(f"/conversations/{conversation.pk}/omissions/", retry=failed.message_id)
    assert answer.status_code in (200, 302)
    again = await last_reply(conversation)
    await (await (await browser(ada)).open(conversation)).until_over(again.message_id)
    assert (await last_reply(conversation)).state == State.COMPLETE
    assert prompt_starts(server)[0] == "Question 5" and prompt_starts(server)[-1] == "Now"


async def test_other_refusals_do_not_offer_trimming(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.refuse(400, "invalid_request_error", "no")
    tab = await (await browser(ada)).open(conversation)
    failed = await ask_and_wait(tab, conversation, "Now?")
    assert "Drop the oldest" not in tab.page.article(failed.message_id)


async def test_an_answer_cut_by_a_full_window_offers_trimming(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Half of", stop="model_context_window_exceeded")
    tab = await (await browser(ada)).open(conversation)
    cut = await ask_and_wait(tab, conversation, "Now?")
    assert "Drop the oldest messages and retry" in tab.page.article(cut.message_id)
