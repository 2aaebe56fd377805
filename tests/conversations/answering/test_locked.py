"""A locked database: no text is lost, and viewers see that saving is behind for as long as it lasts."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from django.db import connection

from accounts.models import User
from conversations.answering import replies
from conversations.models import Conversation, Message
from tests.conversations.asking import Opening, last_reply
from tests.fakes import ModelServer
from tests.pages import Page
from upstreams.models import ChatModel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]

BEHIND = "The database is not responding"


@contextmanager
def locked() -> Iterator[None]:
    """Locks the database against all other writers."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


def is_behind(page: Page) -> bool:
    return BEHIND in page.one("#saving").text_content()


async def test_tokens_keep_coming_and_viewers_see_that_saving_is_behind_until_it_has_caught_up(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    pieces = [f"word{number} " for number in range(12)]
    server.say(*pieces)
    server.hold()
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    await tabs[0].browser.say(conversation, "Well?")
    message = (await last_reply(conversation)).message_id
    server.step()
    for tab in tabs:
        await tab.until_text(message, "word0")
    with locked():
        for tab in tabs:
            await tab.until(is_behind)
        for number in range(1, 6):
            server.step()
            for tab in tabs:
                await tab.until(lambda page, number=number: page.text(message).endswith(f"word{number}"))
        assert all(is_behind(tab.page) for tab in tabs)
    for tab in tabs:
        await tab.until(lambda page: not is_behind(page))
    server.release()
    for tab in tabs:
        await tab.until_over(message)
        assert tab.page.text(message) == "".join(pieces).strip()
        assert not is_behind(tab.page)
    assert (await Message.objects.aget(pk=message)).text == "".join(pieces)


async def test_an_answer_that_ends_while_nothing_can_be_saved_is_saved_later(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One ", "two ", "three.")
    server.hold()
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Well?")
    message = (await last_reply(conversation)).message_id
    server.step()
    await tab.until_text(message, "One")
    with locked():
        await tab.until(is_behind)
        server.release()
        await tab.until(lambda page: page.text(message) == "One two three.")
    await tab.until_over(message)
    await tab.until(lambda page: not is_behind(page))
    assert (tab.page.state(message), tab.page.text(message)) == ("complete", "One two three.")
    assert (await Message.objects.aget(pk=message)).text == "One two three."


async def test_a_late_viewer_reads_all_of_an_answer_whose_end_cannot_be_saved(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One ", "two ", "three.")
    server.hold()
    tab, bens = await (await browser(ada)).open(conversation), await browser(ben)
    await tab.browser.say(conversation, "Well?")
    message = (await last_reply(conversation)).message_id
    server.step()
    await tab.until_text(message, "One")
    with locked():
        server.release()
        await tab.until(lambda page: page.text(message) == "One two three.")
        [reply] = replies.local.running()
        while reply.is_growing:
            await tab.settle()
        # The upstream has sent everything, and nothing could be saved.
        late = await bens.open(conversation)
        assert "three" not in late.page.text(message)
        await late.settle()
        assert late.page.text(message) == "One two three."
    for each in (tab, late):
        await each.until_over(message)
        assert (each.page.state(message), each.page.text(message)) == ("complete", "One two three.")


async def test_a_turn_posted_while_nothing_can_be_saved_arrives_later(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Here I am.")
    tab = await (await browser(ada)).open(conversation)
    with locked():
        posting = asyncio.create_task(tab.browser.say(conversation, "Well?"))
        # Meanwhile, people can still read.
        assert (await tab.browser.load(conversation)).page.messages == []
        assert not posting.done()
    assert (await posting).status_code == 201
    message = (await last_reply(conversation)).message_id
    await tab.until_over(message)
    assert tab.page.text(message) == "Here I am."
