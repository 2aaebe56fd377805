"""How full the model's memory is: counted by its server, or estimated."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation
from tests.conversations.asking import Opening, provider_at
from tests.conversations.talking import ask_and_wait
from tests.conversations.verbs.remembering import fill_context, gauge
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_the_upstream_counts_where_it_can(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=2, window=200_000)
    server.count = 24_000
    adas = await browser(ada)
    assert await gauge(adas, conversation) == ("Context: 12 % of 200k", "")
    assert await gauge(adas, conversation) == ("Context: 12 % of 200k", "")
    [asked] = server.counted
    assert "Question 0." in asked.body.decode() and server.requests == []


async def test_what_was_counted_is_counted_anew_after_a_turn_and_after_a_setting(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=1, window=200_000)
    server.count = 24_000
    adas = await browser(ada)
    await gauge(adas, conversation)
    await Conversation.objects.aupdate(system_prompt="Be kind.")
    server.count = 30_000
    assert (await gauge(adas, conversation))[0] == "Context: 15 % of 200k"
    server.say("Yes.")
    await ask_and_wait(await adas.open(conversation), conversation, "Now?")
    server.count = 50_000
    assert (await gauge(adas, conversation))[0] == "Context: 25 % of 200k"


async def test_those_who_look_at_the_same_time_are_told_the_same_count(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=1, window=200_000)
    server.count = 24_000
    people = [await browser(person) for person in (ada, ben, ada, ben)]
    shown = await asyncio.gather(*(gauge(person, conversation) for person in people))
    assert shown == [("Context: 12 % of 200k", "")] * 4
    assert len(server.counted) == 1


async def test_an_estimate_says_that_it_is_one(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=4, window=40_000)
    adas = await browser(ada)
    assert (await gauge(adas, conversation))[0] == "Context: ≈ 10 % of 40k"
    await ChatModel.objects.aupdate(context_window=None)
    assert (await gauge(adas, conversation))[0] == "Context: ≈ 4.1k tokens"


async def test_the_gauge_is_about_the_model_that_is_chosen(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=4, window=40_000)
    small = await model.provider.chat_models.acreate(model_id="small", context_window=5000)
    shown, offer = await gauge(await browser(ada), conversation, chat_model=small.pk)
    assert shown == "Context: ≈ 81 % of 5k" and "small has a context window of 5,000 tokens" in offer


async def test_without_a_model_there_is_no_gauge(browser: Opening, ada: User, conversation: Conversation) -> None:
    answer = await (await browser(ada)).http.get(f"/conversations/{conversation.pk}/context/")
    assert answer.status_code == 204


async def test_what_the_upstream_reported_makes_for_a_better_estimate(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await fill_context(conversation, ada, model, turns=2, window=100_000)
    server.say("Yes.", input_tokens=40_000, output_tokens=10_000)
    await ask_and_wait(await (await browser(ada)).open(conversation), conversation, "Now?")
    assert (await gauge(await browser(ada), conversation))[0] == "Context: ≈ 50 % of 100k"


async def test_chat_completions_have_a_gauge_too(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer
) -> None:
    model = await sync_to_async(provider_at)(either_server, "Either")
    await fill_context(conversation, ada, model, turns=4, window=40_000)
    assert (await gauge(await browser(ada), conversation))[0] == "Context: ≈ 10 % of 40k"
