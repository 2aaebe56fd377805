"""Unsent text is saved, and a turn is posted only once."""

import asyncio
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.forms.turn import MAX_TURN_LENGTH
from conversations.models import Conversation, Message, Unsent
from conversations.verbs import turns
from tests.conversations.asking import Opening, last_reply
from tests.conversations.talking import read_page, texts
from tests.fakes import ModelServer
from tests.pages import Page
from tests.viewers import Browser
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


def composer_text(page: Page) -> str:
    """The text in the composer. Like a browser, drops a leading line break."""
    text: str = page.one("#message").text or ""
    return text.removeprefix("\n")


def key_of(page: Page) -> str:
    key: str = page.one("#turn-key").get("value")
    return key


async def save_unsent(browser: Browser, conversation: Conversation | None, text: str, key: str = "") -> None:
    where = f"/conversations/{conversation.pk}/unsent/" if conversation else "/unsent/"
    assert (await browser.post(where, text=text, key=key)).status_code == 204


@pytest.mark.parametrize("text", ["Dear all,\n\n\t<b>I</b> & you ", "</textarea><script>", "日本語 🙂 \u2028"])
@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_unsent_text_is_shown_again_unchanged(
    browser: Opening, ada: User, conversation: Conversation, is_begun: bool, text: str
) -> None:
    where = conversation if is_begun else None
    await save_unsent(await browser(ada), where, text)
    assert composer_text(await read_page(await browser(ada), where)) == text


async def test_unsent_text_is_separate_for_each_place_and_person(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    other = await sync_to_async(turns.begin)(ada)
    adas, bens = await browser(ada), await browser(ben)
    for person, where, text in ((adas, conversation, "one"), (adas, other, "two"), (adas, None, "three")):
        await save_unsent(person, where, text)
    await save_unsent(bens, conversation, "four")
    assert [composer_text(await read_page(adas, where)) for where in (conversation, other, None)] == [
        "one",
        "two",
        "three",
    ]
    assert [composer_text(await read_page(bens, where)) for where in (conversation, None)] == ["four", ""]


@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_the_latest_text_replaces_the_saved_one_and_an_empty_text_deletes_it(
    browser: Opening, ada: User, conversation: Conversation, is_begun: bool
) -> None:
    where, adas = conversation if is_begun else None, await browser(ada)
    for text in ("H", "Hel", "Hello"):
        await save_unsent(adas, where, text)
        assert composer_text(await read_page(adas, where)) == text
    assert await Unsent.objects.acount() == 1
    for nothing in ("", "  \n"):
        await save_unsent(adas, where, "Hello")
        await save_unsent(adas, where, nothing)
        assert await Unsent.objects.acount() == 0


async def test_simultaneous_saves_leave_one_row(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    for where in (conversation, None):
        await asyncio.gather(*(save_unsent(adas, where, f"text {number}") for number in range(8)))
    assert await Unsent.objects.acount() == 2


async def test_a_text_over_the_limit_is_saved_up_to_the_limit(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    await save_unsent(await browser(ada), conversation, "a" * (MAX_TURN_LENGTH + 5))
    assert len((await Unsent.objects.aget()).text) == MAX_TURN_LENGTH


async def test_a_stranger_cannot_save_text_in_a_conversation(
    browser: Opening, mallory: User, conversation: Conversation
) -> None:
    answer = await (await browser(mallory)).post(f"/conversations/{conversation.pk}/unsent/", text="Hello")
    assert answer.status_code == 404
    assert await Unsent.objects.acount() == 0


@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_posting_deletes_the_saved_text_and_a_late_save_does_not_restore_it(
    browser: Opening, ada: User, conversation: Conversation, is_begun: bool
) -> None:
    where, adas = conversation if is_begun else None, await browser(ada)
    key = key_of(await read_page(adas, where))
    await save_unsent(adas, where, "Hello", key)
    await adas.post(f"/conversations/{conversation.pk}/turns/" if is_begun else "/turns/", text="Hello", key=key)
    assert await Unsent.objects.acount() == 0
    await save_unsent(adas, where, "Hell", key)
    assert composer_text(await read_page(adas, where)) == ""


async def test_a_late_save_does_not_replace_newer_text(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    key = key_of(await read_page(adas, conversation))
    await adas.say(conversation, "Hello", key=key)
    await save_unsent(adas, conversation, "And another th", str(uuid4()))
    await save_unsent(adas, conversation, "Hell", key)
    assert composer_text(await read_page(adas, conversation)) == "And another th"


async def test_a_save_during_the_posting_leaves_nothing(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    for number in range(6):
        key, text = str(uuid4()), f"Hello {number}"
        calls = [save_unsent(adas, conversation, text, key), adas.say(conversation, text, key=key)]
        await asyncio.gather(*(calls if number % 2 else reversed(calls)))
        assert composer_text(await read_page(adas, conversation)) == ""


async def test_posting_leaves_the_unsent_text_of_others(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    adas, bens = await browser(ada), await browser(ben)
    await save_unsent(bens, conversation, "Ben thinks")
    await save_unsent(adas, None, "Something else")
    await adas.say(conversation, "Hello")
    assert composer_text(await read_page(bens, conversation)) == "Ben thinks"
    assert composer_text(await read_page(adas)) == "Something else"


async def test_a_refused_turn_stays_saved(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    key = key_of(await read_page(adas, conversation))
    await save_unsent(adas, conversation, "Hello", key)
    assert (await adas.say(conversation, "Hello", key=key, chat_model=999)).status_code == 422
    assert composer_text(await read_page(adas, conversation)) == "Hello"


async def test_a_turn_sent_twice_at_once_is_posted_once(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab, other = await (await browser(ada)).open(conversation), await browser(ada)
    key = key_of(tab.page)
    answers = await asyncio.gather(
        *(each.say(conversation, "Hello?", key=key) for each in (tab.browser, other) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {201}
    await tab.until_over((await last_reply(conversation)).message_id)
    assert texts(tab.page) == ["Hello?", "Yes."]
    assert (await Message.objects.acount(), len(server.requests)) == (2, 1)


async def test_a_first_turn_sent_many_times_at_once_begins_one_conversation(
    browser: Opening, ada: User, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    browsers = [await browser(ada) for _ in range(2)]
    key = key_of(await read_page(browsers[0]))
    answers = await asyncio.gather(
        *(each.post("/turns/", text="Hello?", key=key) for each in browsers for _ in range(4))
    )
    conversation = await Conversation.objects.aget()
    assert {answer.headers["hx-redirect"] for answer in answers} == {f"/conversations/{conversation.pk}/"}
    tab = await browsers[0].open(conversation)
    await tab.until_over((await last_reply(conversation)).message_id)
    assert texts((await browsers[0].load(conversation)).page) == ["Hello?", "Yes."]
    assert len(server.requests) == 1


async def test_a_turn_whose_response_was_lost_can_be_sent_again(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    key = key_of(tab.page)
    await tab.browser.say(conversation, "Hello?", key=key)
    await tab.until_over((await last_reply(conversation)).message_id)
    again = await tab.browser.say(conversation, "Hello?", key=key)
    assert again.status_code == 201
    assert await Message.objects.acount() == 2
    # The page has a new key, so the next turn is a new one.
    tab.page.apply(again.text)
    assert key_of(tab.page) != key
    await tab.browser.say(conversation, "Hello?", key=key_of(tab.page))
    assert await Message.objects.acount() == 4


async def test_two_people_can_use_the_same_key(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    key = str(uuid4())
    for person in (ada, ben):
        await (await browser(person)).say(conversation, f"{person} speaks", key=key)
    assert await Message.objects.filter(role="user").acount() == 2
