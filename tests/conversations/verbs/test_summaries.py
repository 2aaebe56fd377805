"""Beginning a conversation with a summary of another one."""

import pytest

from accounts.models import User
from conversations.models import Conversation
from conversations.prompt import window
from tests.conversations.asking import Opening, last_reply
from tests.conversations.verbs.remembering import fill_context
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_new_conversation_begins_with_a_summary(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=3, window=100_000)
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
    places = [
        text.index(said) for said in ("Summarise it", "**Ada Lovelace:** Question 0.", "**Test model:** Answer 2.")
    ]
    assert places == sorted(places)


async def test_only_the_end_of_a_long_conversation_is_summarised_and_the_model_learns_that(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=20, window=8000)
    server.say("In short.")
    await (await browser(ada)).post(f"/conversations/{conversation.pk}/summaries/")
    begun = await Conversation.objects.exclude(pk=conversation.pk).aget()
    first = await begun.messages.order_by("pk").afirst()
    assert first is not None
    assert "[The beginning is left out.]" in first.text
    assert "Answer 19." in first.text and "Question 0." not in first.text
    assert window.tokens_in(first) < 4000
