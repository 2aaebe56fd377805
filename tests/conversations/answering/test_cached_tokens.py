"""Tokens read from the cache and written to it are shown under the answer and priced."""

from decimal import Decimal

import pytest
from django.db.models import F

from accounts.models import User
from conversations.models import Conversation
from tests.conversations.asking import Opening, last_reply
from tests.fakes import ModelServer
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db(transaction=True)

CACHED = {"cache_read_input_tokens": 20_000, "cache_creation_input_tokens": 3_000}


async def test_cached_and_written_tokens_are_shown_and_priced(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await ChatModel.objects.aupdate(cache_read_price=Decimal("0.3"), cache_write_price=Decimal("3.75"))
    server.say("Yes.", input_tokens=100, output_tokens=10, **CACHED)
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Hello?")
    reply = await last_reply(conversation)
    await tab.until_over(reply.message_id)
    reply = await last_reply(conversation)
    assert (reply.cache_read_tokens, reply.cache_write_tokens) == (20_000, 3_000)
    assert reply.cost == (100 * 3 + 10 * 15 + 20_000 * Decimal("0.3") + 3_000 * Decimal("3.75")) / 1_000_000
    words = tab.page.article(reply.message_id)
    assert "23,100 tokens, 20,000 from cache, 3,000 written to cache" in words


async def test_an_answer_that_took_no_time_is_drawn(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Hello?")
    await tab.until_over((await last_reply(conversation)).message_id)
    await conversation.generations.aupdate(finished_at=F("started_at"))
    again = await tab.browser.open(conversation)
    assert "Yes." in again.page.article((await last_reply(conversation)).message_id)


@pytest.mark.parametrize("caches", [True, False])
async def test_cache_marks_are_sent_to_providers_that_take_them(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel, caches: bool
) -> None:
    await Provider.objects.aupdate(caches_prompts=caches)
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    for text in ("One", "Two"):
        await tab.browser.say(conversation, text)
        await tab.until_over((await last_reply(conversation)).message_id)
    assert (b"cache_control" in server.requests[-1].body) is caches
