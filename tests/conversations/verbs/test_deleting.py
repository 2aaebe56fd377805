"""Deleting a message removes it for people and models; undo restores it."""

import pytest
from lxml import html

from accounts.models import User
from conversations.models import Conversation, Message
from tests.conversations.asking import Opening, ask_and_read, begin_and_hang, last_reply
from tests.conversations.talking import (
    aadd_exchange,
    act,
    ask_and_wait,
    follow,
    place_of,
    prompt_texts,
    texts,
    until_it_says,
    version_links,
)
from tests.fakes import ModelServer
from tests.viewers import Viewer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def two_exchanges(conversation: Conversation, *people: User) -> list[int]:
    for number, person in enumerate(people, 1):
        await aadd_exchange(conversation, person, f"Question {number}", f"Answer {number}")
    return [message.pk async for message in conversation.messages.order_by("pk")]


async def test_a_deleted_message_leaves_everybodys_page(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    messages = await two_exchanges(conversation, ada, ben)
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    answer = await act(tabs[0].browser, conversation, messages[0], "delete")
    assert answer.status_code == 200
    for tab in tabs:
        await tab.until(lambda page: not page.has(messages[0]))
        assert tab.page.messages == messages[1:]
        fresh = await tab.browser.load(conversation)
        assert fresh.page.messages == messages[1:]


async def test_undo_restores_the_message_in_its_place(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    messages = await two_exchanges(conversation, ada, ben)
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    answer = await act(tabs[0].browser, conversation, messages[2], "delete")
    [toast] = html.fragments_fromstring(answer.text)
    [undo] = toast.cssselect("form")
    for tab in tabs:
        await tab.until(lambda page: not page.has(messages[2]))
    away = await tabs[1].browser.load(conversation)
    assert (await tabs[0].browser.post(undo.get("hx-post"))).status_code == 204
    for tab in tabs:
        await tab.until(lambda page: page.has(messages[2]))
        assert (tab.page.messages, tab.page.text(messages[2])) == (messages, "Question 2")
    # A page that was rendered in the meantime gets it too.
    assert await away.connect()
    await away.until(lambda page: page.has(messages[2]))
    assert away.page.messages == messages


async def test_a_viewer_who_was_away_learns_of_the_deletion_on_return(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    messages = await two_exchanges(conversation, ada, ada)
    tab = await (await browser(ada)).load(conversation)
    await act(tab.browser, conversation, messages[1], "delete")
    assert await tab.connect()
    await tab.until(lambda page: not page.has(messages[1]))
    await act(tab.browser, conversation, messages[1], "restore")
    await tab.until(lambda page: page.has(messages[1]))
    await tab.reconnect()
    await tab.settle()
    assert tab.page.messages == messages


async def test_models_do_not_get_a_deleted_message_until_it_is_restored(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    for text in ("One?", "Two?"):
        await ask_and_wait(tab, conversation, text)
    one, answer_to_one, *_ = tab.page.messages
    for message in (one, answer_to_one):
        await act(tab.browser, conversation, message, "delete")
    await ask_and_wait(tab, conversation, "Three?")
    assert prompt_texts(server) == ["Two?", "Yes.", "Three?"]
    await act(tab.browser, conversation, answer_to_one, "restore")
    await act(tab.browser, conversation, one, "restore")
    await ask_and_wait(tab, conversation, "Four?")
    assert prompt_texts(server) == ["One?", "Yes.", "Two?", "Yes.", "Three?", "Yes.", "Four?"]


async def test_a_turn_after_a_deleted_last_message_still_follows_it(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    end = (await ask_and_wait(tab, conversation, "One?")).message_id
    await act(tab.browser, conversation, end, "delete")
    await ask_and_wait(tab, conversation, "Two?")
    assert (await Message.objects.aget(pk=tab.page.messages[1])).parent_id == end
    await act(tab.browser, conversation, end, "restore")
    await tab.until(lambda page: page.has(end))
    assert texts(tab.page) == ["One?", "Yes.", "Two?", "Yes."]


async def test_a_deleted_message_does_not_count_as_a_version(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    for text in ("First.", "Second.", "Third."):
        server.say(text)
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    replies = [first]
    for text in ("Second.", "Third."):
        new = await follow(tab.browser, await act(tab.browser, conversation, first, "retries"))
        replies.append((await last_reply(conversation)).message_id)
        await until_it_says(new, replies[-1], text)
    await tab.until(lambda page: place_of(page, first) == "1/3")
    await act(tab.browser, conversation, replies[1], "delete")
    await tab.until(lambda page: place_of(page, first) == "1/2")
    await new.until(lambda page: place_of(page, replies[2]) == "2/2")
    [link] = version_links(tab.page, first).values()
    assert link.endswith(f"#m{replies[2]}")
    await act(tab.browser, conversation, replies[1], "restore")
    await tab.until(lambda page: place_of(page, first) == "1/3")
    await new.until(lambda page: place_of(page, replies[2]) == "3/3")


async def test_a_single_version_shows_no_count(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    new = await follow(tab.browser, await act(tab.browser, conversation, first, "retries"))
    second = (await last_reply(conversation)).message_id
    await new.until_over(second)
    await tab.until(lambda page: place_of(page, first) == "1/2")
    await act(tab.browser, conversation, second, "delete")
    await tab.until(lambda page: place_of(page, first) == "")


async def test_people_delete_their_own_messages_and_the_owner_any(
    browser: Opening, ada: User, ben: User, mallory: User, conversation: Conversation
) -> None:
    adas, answer_to_ada, bens, answer_to_ben = await two_exchanges(conversation, ada, ben)
    member, owner, stranger = await browser(ben), await browser(ada), await browser(mallory)
    for somebody, message, status in (
        (member, adas, 403),
        (member, answer_to_ada, 403),
        (member, answer_to_ben, 403),
        (stranger, adas, 404),
        (member, bens, 200),
        (owner, answer_to_ben, 200),
        (owner, adas, 200),
    ):
        assert (await act(somebody, conversation, message, "delete")).status_code == status
    left = [message.pk async for message in Message.objects.filter(deleted_at=None)]
    assert left == [answer_to_ada]
    for somebody, message, status in (
        (member, adas, 403),
        (stranger, bens, 404),
        (member, bens, 204),
        (owner, adas, 204),
        (owner, adas, 404),  # It is back already.
    ):
        assert (await act(somebody, conversation, message, "restore")).status_code == status
    left = [message.pk async for message in Message.objects.filter(deleted_at=None).order_by("pk")]
    assert left == [adas, answer_to_ada, bens]


@pytest.mark.parametrize("verb", ["delete", "retries", "edits", "continuations", "forks"])
async def test_nothing_can_be_done_with_a_deleted_message(
    browser: Opening, ada: User, conversation: Conversation, verb: str
) -> None:
    messages = await two_exchanges(conversation, ada)
    adas = await browser(ada)
    for message in messages:
        await act(adas, conversation, message, "delete")
        assert (await act(adas, conversation, message, verb, text="Hello")).status_code == 404
        source = await adas.get(f"/conversations/{conversation.pk}/messages/{message}/source/")
        assert source.status_code == 404
    assert texts((await adas.load(conversation)).page) == []


async def test_a_deleted_running_answer_shows_nothing_more(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    tab = await (await browser(ada)).open(conversation)
    message = await ask_and_read(tab, conversation, "Well?", "I could go on")
    await act(tab.browser, conversation, message, "delete")
    await tab.until(lambda page: not page.has(message))
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    assert await server.until_disconnected()
    late = await (await browser(ada)).open(conversation)
    for viewer in (tab, late):
        await viewer.settle()
        assert texts(viewer.page) == ["Well?"]


async def test_without_scripts_deleting_leads_back(browser: Opening, ada: User, conversation: Conversation) -> None:
    messages = await two_exchanges(conversation, ada)
    adas = await browser(ada)
    for verb in ("delete", "restore"):
        answer = await act(adas, conversation, messages[0], verb, htmx=False)
        assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")


async def test_a_page_far_behind_is_right_after_many_deletions(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    for _ in range(5):
        messages = await two_exchanges(conversation, ada, ada)
    tab: Viewer = await (await browser(ada)).load(conversation)
    for message in messages[::3]:
        await act(tab.browser, conversation, message, "delete")
    for message in messages[:4:3]:
        await act(tab.browser, conversation, message, "restore")
    assert await tab.connect()
    left = [message for message in messages if message not in messages[::3] or message in messages[:4:3]]
    await tab.until(lambda page: page.messages == left)
