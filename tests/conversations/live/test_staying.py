"""On a page that is open for long, a gap costs only what was missed."""

from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.live.broadcasts import CATCH_UP_LIMIT, announce_revision
from conversations.live.hub import Frame, conversation_topic, hub
from conversations.models import Conversation
from tests.conversations.asking import Opening, last_reply
from tests.conversations.talking import aadd_exchange, act, ask_and_wait, follow, texts, until_it_says
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

KEY = UUID(int=1)
GAP = Frame("", must_catch_up=True)


async def test_a_gap_on_a_page_open_for_long_costs_only_what_was_missed(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    tab = await (await browser(ada)).open(conversation)
    for number in range(CATCH_UP_LIMIT // 2 + 1):
        await tell(await add_unannounced_exchange(conversation, ada, number, model))
    await tab.settle()
    assert len(tab.page.messages) > CATCH_UP_LIMIT
    before = len(tab.messages)
    hub.publish(conversation_topic(conversation.pk), GAP)
    await tab.settle()
    assert tab.messages[before:] == []


async def test_a_frame_that_arrives_early_hides_no_earlier_one(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    first, second = [await add_unannounced_exchange(conversation, ada, number, model) for number in range(2)]
    await tell(second)
    await tab.settle()
    hub.publish(conversation_topic(conversation.pk), GAP)
    await tab.settle()
    assert texts(tab.page) == ["Q0", "A0", "Q1", "A1"]
    await tell(first)
    await tell(await add_unannounced_exchange(conversation, ada, 2, model))
    before = len(tab.messages)
    await tab.settle()
    hub.publish(conversation_topic(conversation.pk), GAP)
    await tab.settle()
    assert (len(tab.page.messages), len(tab.messages) - before) == (6, 2)


async def test_frames_that_arrive_with_a_gap_do_not_count_as_seen(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    await tell(await add_unannounced_exchange(conversation, ada, 0, model))
    unannounced = await add_unannounced_exchange(conversation, ada, 1, model)
    # Nothing is read in between, so all frames are taken at once.
    for frame in (Frame("never shown", revision=unannounced.revision), Frame("", revision=unannounced.revision), GAP):
        hub.publish(conversation_topic(conversation.pk), frame)
    await tab.settle()
    assert len(tab.page.messages) == 4


async def add_unannounced_exchange(
    conversation: Conversation, person: User, number: int, model: ChatModel
) -> Conversation:
    """A question and its answer, not announced yet. Returns the conversation at that revision."""
    await aadd_exchange(conversation, person, f"Q{number}", f"A{number}", model)
    return await Conversation.objects.aget(pk=conversation.pk)


tell = sync_to_async(announce_revision)


async def test_every_act_reaches_viewers_of_other_branches(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("And then", stop="max_tokens")
    server.say(" it ended.")
    server.say("Differently.")
    tab = await (await browser(ada)).open(conversation)
    await ask_and_wait(tab, conversation, "Well?")
    question, answer = tab.page.messages
    await act(tab.browser, conversation, answer, "continuations")
    await until_it_says(tab, answer, "And then it ended.")
    await act(tab.browser, conversation, answer, "continuations")
    for message, verb in ((answer, "retries"), (question, "edits")):
        there = await follow(tab.browser, await act(tab.browser, conversation, message, verb, text="How?"))
        await there.until_over((await last_reply(conversation)).message_id)
    for verb in ("delete", "restore"):
        await act(tab.browser, conversation, question, verb)
    await tab.browser.post(f"/conversations/{conversation.pk}/title/", title="Stories")
    await tab.browser.say(conversation, "Twice?", key=str(KEY))
    await tab.browser.say(conversation, "Twice?", key=str(KEY))
    await there.until_over((await last_reply(conversation)).message_id)
    for each in (tab, there):
        await each.settle()
        before = len(each.messages)
        hub.publish(conversation_topic(conversation.pk), GAP)
        await each.settle()
        # The row in the list changes a moment after the answer has ended.
        assert [message for message in each.messages[before:] if "conversation-row" not in message] == []
