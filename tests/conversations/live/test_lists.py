"""The list of conversations is live on every page."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation
from conversations.verbs import turns
from tests.conversations.asking import Opening, last_reply
from tests.conversations.talking import act, ask_and_wait
from tests.fakes import ModelServer
from tests.pages import Page, words
from tests.viewers import Browser, Viewer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

type Place = Callable[[User], Awaitable[Viewer]]


def titles(page: Page) -> list[str]:
    return [words(row) for row in page.find("#conversations [data-title-of]")]


def is_running(page: Page, conversation: Conversation) -> bool:
    return bool(page.find(f"#conversation-{conversation.pk} .running-mark"))


async def first_page(browser: Browser) -> Viewer:
    tab = browser.tab(Page((await browser.get("/")).text))
    assert await tab.connect()
    return tab


@pytest.fixture(params=["the first page", "another conversation", "the conversation itself"])
def place(request: pytest.FixtureRequest, browser: Opening, conversation: Conversation) -> Place:
    """Opens a person's tab on the page where they are when something happens in the conversation."""

    async def opened(person: User) -> Viewer:
        theirs = await browser(person)
        if request.param == "the first page":
            return await first_page(theirs)
        if request.param == "another conversation":
            return await theirs.open(await sync_to_async(turns.begin)(person, title="Elsewhere"))
        return await theirs.open(conversation)

    return opened


@pytest.fixture
def conversation(conversation: Conversation) -> Conversation:
    conversation.title = "Weather"
    conversation.save()
    return conversation


async def test_a_new_title_appears_in_lists_on_every_page(
    place: Place, browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    tab = await place(ben)
    assert "Weather" in titles(tab.page)
    await (await browser(ada)).post(f"/conversations/{conversation.pk}/title/", title="Rain & <wind>")
    await tab.until(lambda page: "Rain & <wind>" in titles(page))
    assert "Weather" not in titles(tab.page)


async def test_the_latest_conversation_moves_to_the_top_on_every_page(
    place: Place, browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    tab = await place(ben)
    third = await sync_to_async(turns.begin)(ben, title="Third")
    await tab.browser.say(third, "Hello")
    await tab.until(lambda page: titles(page)[0] == "Third")
    await (await browser(ada)).say(conversation, "Hello")
    await tab.until(lambda page: titles(page)[0] == "Weather")
    assert titles(tab.page)[:2] == ["Weather", "Third"]
    assert len(set(titles(tab.page))) == len(titles(tab.page))
    fresh = Page((await tab.browser.get("/")).text)
    assert titles(fresh) == titles(tab.page)


async def test_the_mark_of_a_running_answer_comes_and_goes_on_every_page(
    place: Place,
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
) -> None:
    server.say("One ", "two")
    server.hold()
    tab = await place(ben)
    assert not is_running(tab.page, conversation)
    adas = await (await browser(ada)).open(conversation)
    await adas.browser.say(conversation, "Well?")
    await tab.until(lambda page: is_running(page, conversation))
    server.release()
    await tab.until(lambda page: not is_running(page, conversation))
    await adas.until_over((await last_reply(conversation)).message_id)


@pytest.mark.parametrize("end", ["stop", "failure"])
async def test_the_mark_disappears_however_the_answer_ends(
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    end: str,
) -> None:
    if end == "failure":
        server.refuse(401, "authentication_error", "no")
    else:
        server.say("Never said")
        server.hold()
    tab, adas = await first_page(await browser(ben)), await browser(ada)
    await adas.say(conversation, "Well?")
    await tab.until(lambda page: is_running(page, conversation))
    if end == "stop":
        assert await asyncio.to_thread(server.asked.wait, 5)
        await adas.post(f"/conversations/{conversation.pk}/stop/")
    await tab.until(lambda page: not is_running(page, conversation))


async def test_a_conversation_begun_elsewhere_appears(browser: Opening, ada: User, conversation: Conversation) -> None:
    tabs = [await first_page(await browser(ada)), await (await browser(ada)).open(conversation)]
    await (await browser(ada)).post("/turns/", text="Something *new*")
    for tab in tabs:
        await tab.until(lambda page: titles(page)[0] == "Something new")
        assert titles(tab.page) == ["Something new", "Weather"]


async def test_a_deleted_conversation_leaves_the_list_and_returns_with_undo(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    tabs = [await first_page(await browser(person)) for person in (ada, ben)]
    adas = tabs[0].browser
    await adas.post(f"/conversations/{conversation.pk}/delete/")
    for tab in tabs:
        await tab.until(lambda page: titles(page) == [])
    await adas.post(f"/conversations/{conversation.pk}/restore/")
    for tab in tabs:
        await tab.until(lambda page: titles(page) == ["Weather"])


async def test_strangers_see_nothing_of_a_conversation_in_their_lists(
    browser: Opening, ada: User, mallory: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Secret.")
    tab = await first_page(await browser(mallory))
    adas = await (await browser(ada)).open(conversation)
    await adas.browser.post(f"/conversations/{conversation.pk}/title/", title="Secret plans")
    await ask_and_wait(adas, conversation, "Well?")
    await adas.browser.post("/turns/", text="Secret, too")
    await tab.settle()
    assert tab.messages == []
    assert titles(tab.page) == []


async def test_retrying_and_continuing_show_the_mark_too(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One", stop="max_tokens")
    tab = await (await browser(ada)).open(conversation)
    listening = await first_page(tab.browser)
    message = (await ask_and_wait(tab, conversation, "Well?")).message_id
    for verb in ("continuations", "retries"):
        await listening.until(lambda page: not is_running(page, conversation))
        server.hold()
        await act(tab.browser, conversation, message, verb)
        await listening.until(lambda page: is_running(page, conversation))
        server.release()
    await listening.until(lambda page: not is_running(page, conversation))
