"""What is typed and not sent is kept; what is sent is sent once."""

import asyncio
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.forms.turn import MAX_TURN_LENGTH
from conversations.models import Conversation, Message, Unsent
from conversations.verbs import turns
from tests.conversations.asking import Opening, last_reply
from tests.conversations.talking import texts
from tests.fakes import ModelServer
from tests.pages import Page
from tests.viewers import Browser
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


def typed(page: Page) -> str:
    """What stands in the composer; a browser drops the first line end in it."""
    text: str = page.one("#message").text or ""
    return text.removeprefix("\n")


def key_of(page: Page) -> str:
    key: str = page.one("#turn-key").get("value")
    return key


async def keep(browser: Browser, conversation: Conversation | None, text: str, key: str = "") -> None:
    where = f"/conversations/{conversation.pk}/unsent/" if conversation else "/unsent/"
    assert (await browser.post(where, text=text, key=key)).status_code == 204


async def page_of(browser: Browser, conversation: Conversation | None = None) -> Page:
    return Page((await browser.get(f"/conversations/{conversation.pk}/" if conversation else "/")).text)


@pytest.mark.parametrize("text", ["Dear all,\n\n\t<b>I</b> & you ", "</textarea><script>", "日本語 🙂 \u2028"])
@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_what_was_typed_is_there_again_as_it_was(
    browser: Opening, ada: User, conversation: Conversation, is_begun: bool, text: str
) -> None:
    where = conversation if is_begun else None
    await keep(await browser(ada), where, text)
    assert typed(await page_of(await browser(ada), where)) == text


async def test_each_place_and_each_person_has_its_own(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    other = await sync_to_async(turns.begin)(ada)
    adas, bens = await browser(ada), await browser(ben)
    for person, where, text in ((adas, conversation, "one"), (adas, other, "two"), (adas, None, "three")):
        await keep(person, where, text)
    await keep(bens, conversation, "four")
    assert [typed(await page_of(adas, where)) for where in (conversation, other, None)] == ["one", "two", "three"]
    assert [typed(await page_of(bens, where)) for where in (conversation, None)] == ["four", ""]


@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_the_latest_replaces_what_was_kept_and_nothing_forgets_it(
    browser: Opening, ada: User, conversation: Conversation, is_begun: bool
) -> None:
    where, adas = conversation if is_begun else None, await browser(ada)
    for text in ("H", "Hel", "Hello"):
        await keep(adas, where, text)
        assert typed(await page_of(adas, where)) == text
    assert await Unsent.objects.acount() == 1
    for nothing in ("", "  \n"):
        await keep(adas, where, "Hello")
        await keep(adas, where, nothing)
        assert await Unsent.objects.acount() == 0


async def test_saves_that_come_at_once_leave_one(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    for where in (conversation, None):
        await asyncio.gather(*(keep(adas, where, f"text {number}") for number in range(8)))
    assert await Unsent.objects.acount() == 2


async def test_a_text_too_long_to_be_sent_is_kept_as_far_as_it_may_go(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    await keep(await browser(ada), conversation, "a" * (MAX_TURN_LENGTH + 5))
    assert len((await Unsent.objects.aget()).text) == MAX_TURN_LENGTH


async def test_nobody_keeps_anything_in_a_conversation_of_others(
    browser: Opening, mallory: User, conversation: Conversation
) -> None:
    answer = await (await browser(mallory)).post(f"/conversations/{conversation.pk}/unsent/", text="Hello")
    assert answer.status_code == 404
    assert await Unsent.objects.acount() == 0


@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_what_is_posted_is_forgotten_and_a_late_save_does_not_bring_it_back(
    browser: Opening, ada: User, conversation: Conversation, is_begun: bool
) -> None:
    where, adas = conversation if is_begun else None, await browser(ada)
    key = key_of(await page_of(adas, where))
    await keep(adas, where, "Hello", key)
    await adas.post(f"/conversations/{conversation.pk}/turns/" if is_begun else "/turns/", text="Hello", key=key)
    assert await Unsent.objects.acount() == 0
    await keep(adas, where, "Hell", key)
    assert typed(await page_of(adas, where)) == ""


async def test_a_late_save_does_not_take_away_what_is_typed_since(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    key = key_of(await page_of(adas, conversation))
    await adas.say(conversation, "Hello", key=key)
    await keep(adas, conversation, "And another th", str(uuid4()))
    await keep(adas, conversation, "Hell", key)
    assert typed(await page_of(adas, conversation)) == "And another th"


async def test_a_save_and_the_posting_at_once_leave_nothing(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    for number in range(6):
        key, text = str(uuid4()), f"Hello {number}"
        calls = [keep(adas, conversation, text, key), adas.say(conversation, text, key=key)]
        await asyncio.gather(*(calls if number % 2 else reversed(calls)))
        assert typed(await page_of(adas, conversation)) == ""


async def test_what_one_posts_leaves_what_others_have_typed(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    adas, bens = await browser(ada), await browser(ben)
    await keep(bens, conversation, "Ben thinks")
    await keep(adas, None, "Something else")
    await adas.say(conversation, "Hello")
    assert typed(await page_of(bens, conversation)) == "Ben thinks"
    assert typed(await page_of(adas)) == "Something else"


async def test_what_was_refused_is_still_kept(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    key = key_of(await page_of(adas, conversation))
    await keep(adas, conversation, "Hello", key)
    assert (await adas.say(conversation, "Hello", key=key, chat_model=999)).status_code == 422
    assert typed(await page_of(adas, conversation)) == "Hello"


async def test_a_turn_sent_at_once_by_a_double_click_and_a_second_tab_is_posted_once(
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


async def test_a_first_turn_sent_many_times_at_once_makes_one_conversation(
    browser: Opening, ada: User, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    browsers = [await browser(ada) for _ in range(2)]
    key = key_of(await page_of(browsers[0]))
    answers = await asyncio.gather(
        *(each.post("/turns/", text="Hello?", key=key) for each in browsers for _ in range(4))
    )
    conversation = await Conversation.objects.aget()
    assert {answer.headers["hx-redirect"] for answer in answers} == {f"/conversations/{conversation.pk}/"}
    tab = await browsers[0].open(conversation)
    await tab.until_over((await last_reply(conversation)).message_id)
    assert texts((await browsers[0].load(conversation)).page) == ["Hello?", "Yes."]
    assert len(server.requests) == 1


async def test_a_turn_whose_answer_was_lost_on_the_way_can_be_sent_again(
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
    # The page has a fresh key now, with which the next turn is a turn of its own.
    tab.page.apply(again.text)
    assert key_of(tab.page) != key
    await tab.browser.say(conversation, "Hello?", key=key_of(tab.page))
    assert await Message.objects.acount() == 4


async def test_two_people_with_one_key_do_not_get_into_each_others_way(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    key = str(uuid4())
    for person in (ada, ben):
        await (await browser(person)).say(conversation, f"{person} speaks", key=key)
    assert await Message.objects.filter(role="user").acount() == 2
