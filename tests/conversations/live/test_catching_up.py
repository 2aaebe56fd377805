"""Late, reconnected or missing a frame: it is one case, and the page is always the same in the end."""

from itertools import count

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.answering import replies
from conversations.answering.ending import Ending, save_ending
from conversations.live.broadcasts import CATCH_UP_LIMIT, render_partial
from conversations.live.hub import Frame, conversation_topic, hub, person_topic
from conversations.live.hub import Viewer as Queue
from conversations.models import Conversation, State
from tests.conversations.asking import Opening, claim_new_reply, claim_reply, end, last_reply, queue_turn
from tests.fakes import ModelServer
from tests.pages import words
from tests.viewers import Viewer
from upstreams.events import BlockClosed, BlockGrew, BlockOpened, ReplyEvent
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

BATCHES: list[list[ReplyEvent]] = [
    [BlockOpened({"type": "thinking", "thinking": ""}), BlockGrew("Hm, ")],
    [BlockGrew("yes."), BlockClosed({"signature": "s"})],
    [BlockOpened({"type": "text", "text": ""})],
    [BlockGrew("One.\n\nTwo ")],
    [BlockGrew("and **three**.\n\n```\nfo")],
    [BlockGrew("ur\n")],
    [BlockGrew("five\n```\n\n- six\n"), BlockGrew("- seven")],
    [BlockGrew("\n- eight\n\nNine")],
]
GROWN = "One. Two and three. four five six seven eight Nine"


def queue_of(conversation: Conversation) -> Queue:
    [queue] = hub._viewers[conversation_topic(conversation.pk)]
    return queue


def lose(queue: Queue, number: int) -> None:
    """Drops one frame of a growing reply, by its number."""
    offer, numbers = queue.offer, count()

    def lossy(frame: Frame) -> None:
        if not frame.relay or next(numbers) != number:
            offer(frame)

    queue.offer = lossy  # type: ignore[method-assign]


def letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def has_grown(tab: Viewer, message: int) -> bool:
    return tab.page.has(message) and letters(GROWN) in letters(tab.page.text(message))


async def is_as_if_fresh(tab: Viewer, conversation: Conversation, message: int) -> bool:
    fresh = await tab.browser.load(conversation)
    return tab.page.article(message) == fresh.page.article(message) and tab.page.messages == fresh.page.messages


async def test_a_latecomer_sees_a_running_answer_from_its_beginning(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One ", "two ", "three ", "four")
    server.hold()
    early = await (await browser(ada)).open(conversation)
    waiting = await (await browser(ben)).load(conversation)
    await early.browser.say(conversation, "Count")
    message = (await last_reply(conversation)).message_id
    server.step(2)
    await early.until_text(message, "One two")
    late = await (await browser(ben)).open(conversation)
    # The page was rendered before the turn was posted, and its socket connects only now.
    assert not waiting.page.has(message)
    assert await waiting.connect()
    for tab in (late, waiting):
        await tab.until_text(message, "One two")
    server.step()
    for tab in (late, waiting):
        await tab.until(lambda page: page.text(message) == "One two three")
    server.release()
    for tab in (early, late, waiting):
        await tab.until_over(message)
        assert tab.page.text(message) == "One two three four"
        assert await is_as_if_fresh(tab, conversation, message)


async def test_a_viewer_who_reconnects_during_an_answer_misses_nothing(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("One ", "two ", "three ", "four")
    server.hold()
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Count")
    message = (await last_reply(conversation)).message_id
    server.step()
    await tab.until_text(message, "One")
    other = await (await browser(ada)).open(conversation)
    await tab.close()
    server.step()
    await other.until(lambda page: page.text(message) == "One two")
    assert await tab.connect()
    await tab.until(lambda page: page.text(message) == "One two")
    server.release()
    await tab.until_over(message)
    assert await is_as_if_fresh(tab, conversation, message)


async def test_a_viewer_who_reconnects_after_the_answer_gets_what_was_missed(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Hello Ben.")
    adas, bens = await (await browser(ada)).open(conversation), await (await browser(ben)).open(conversation)
    await adas.close()
    await bens.browser.post(f"/conversations/{conversation.pk}/title/", title="Greetings")
    await bens.browser.say(conversation, "Hello")
    message = (await last_reply(conversation)).message_id
    await bens.until_over(message)
    await adas.reconnect()
    await adas.until_over(message)
    assert adas.page.text(message) == "Hello Ben."
    assert adas.page.title == "Greetings"
    assert await is_as_if_fresh(adas, conversation, message)


async def test_a_viewer_far_behind_loads_the_latest_messages_again(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    tab = await (await browser(ada)).load(conversation)

    def talk() -> None:
        for number in range(CATCH_UP_LIMIT // 2 + 1):
            queue_turn(conversation, ada, f"Number {number}")

    await sync_to_async(talk)()
    assert await tab.connect()
    await tab.until(lambda page: page.messages)
    fresh = await tab.browser.load(conversation)
    assert len(tab.page.messages) == 40
    assert tab.page.messages == fresh.page.messages


async def test_a_viewer_who_is_up_to_date_gets_nothing(browser: Opening, ada: User, conversation: Conversation) -> None:
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    assert tab.messages == []


@pytest.mark.parametrize(
    "since", ["", "?since=", "?since=-1", "?since=²", "?since=99999999999", "?since=1&since=0", "?x"]
)
async def test_an_invalid_revision_counts_as_a_page_drawn_just_now(
    browser: Opening, ada: User, conversation: Conversation, since: str
) -> None:
    tab = await (await browser(ada)).load(conversation)
    tab.page.one("[data-socket]").set("data-socket", f"/ws/conversations/{conversation.pk}/{since}")
    assert await tab.connect()
    await tab.settle()


@pytest.mark.parametrize("lost", range(1 + len(BATCHES)))
async def test_a_viewer_who_misses_one_frame_reads_everything_all_the_same(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel, lost: int
) -> None:
    reply = await claim_new_reply(conversation, ada, model)
    message = reply.relay.message.pk
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    lose(queue_of(conversation), lost)
    replies.local.show(reply)
    for batch in BATCHES:
        await tab.settle()
        reply.relay.carry(batch)
    if lost < len(BATCHES):
        await tab.until(lambda _: has_grown(tab, message))
    await end(reply)
    await tab.until_over(message)
    assert has_grown(tab, message)
    assert await is_as_if_fresh(tab, conversation, message)


@pytest.mark.parametrize("room", [1, 2, 5])
async def test_a_viewer_who_is_too_slow_reads_everything_all_the_same(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel, room: int
) -> None:
    reply = await claim_new_reply(conversation, ada, model)
    message = reply.relay.message.pk
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    queue_of(conversation)._room = room
    replies.local.show(reply)
    for batch in BATCHES:
        reply.relay.carry(batch)
    await tab.until(lambda _: has_grown(tab, message))
    await end(reply)
    await tab.until_over(message)
    assert await is_as_if_fresh(tab, conversation, message)


async def test_a_viewer_who_connects_as_an_answer_is_booked_sees_that_it_has_ended(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    reply = await claim_new_reply(conversation, ada, model)
    message = reply.relay.message.pk
    replies.local.show(reply)
    for batch in BATCHES:
        reply.relay.carry(batch)
    away = await (await browser(ada)).load(conversation)
    booked = await sync_to_async(save_ending)(reply.relay, Ending(State.COMPLETE))
    # Nothing was announced yet: one page was rendered before, one after.
    tabs = [away, await (await browser(ada)).load(conversation)]
    assert [tab.page.state(message) for tab in tabs] == ["running", "complete"]
    for tab in tabs:
        assert await tab.connect()
        await tab.settle()
    reply.relay.end(booked)
    for tab in tabs:
        await tab.settle()
        assert tab.page.state(message) == "complete"
        assert await is_as_if_fresh(tab, conversation, message)


async def test_frames_about_other_things_survive_a_gap_in_a_reply(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    reply = await claim_new_reply(conversation, ada, model)
    message = reply.relay.message.pk
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    replies.local.show(reply)
    await tab.read()
    lose(queue_of(conversation), 0)
    # Nothing is read in between, so all frames are taken at once.
    reply.relay.carry(BATCHES[0])
    hub.publish(person_topic(ada.pk), Frame(render_partial("#conversations", "afterbegin", '<li id="listed">New</li>')))
    reply.relay.carry(BATCHES[1])
    hub.publish(conversation_topic(conversation.pk), Frame(render_partial("#faces", "innerHTML", "Everybody")))
    await tab.until(lambda page: words(page.one("#faces")) == "Everybody")
    assert [words(row) for row in tab.page.find("#listed")] == ["New"]
    assert "Hm, yes." in tab.page.text(message)


def cuts() -> list[list[list[ReplyEvent]]]:
    """The same reply in fewer, longer batches."""
    events = [event for batch in BATCHES for event in batch]
    sizes = (1, 2, 3, 5, len(events))
    return [[events[start : start + size] for start in range(0, len(events), size)] for size in sizes]


@pytest.mark.parametrize("batches", cuts(), ids=len)
async def test_the_page_is_the_same_however_the_reply_came(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel, batches: list[list[ReplyEvent]]
) -> None:
    reply = await claim_new_reply(conversation, ada, model)
    tab = await (await browser(ada)).open(conversation)
    await tab.settle()
    replies.local.show(reply)
    for batch in batches:
        reply.relay.carry(batch)
    late = await (await browser(ada)).open(conversation)
    for each in (tab, late):
        await each.until(lambda _, each=each: has_grown(each, reply.relay.message.pk))
    seen = [[words(block) for block in each.page.find(f"#m{reply.relay.message.pk} .markdown")] for each in (tab, late)]
    assert seen[0] == seen[1]


async def test_an_answer_that_is_resumed_is_followed_again(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    reply = await claim_new_reply(conversation, ada, model)
    message = reply.relay.message.pk
    tabs = [await (await browser(ada)).open(conversation) for _ in range(2)]
    replies.local.show(reply)
    for batch in BATCHES:
        for tab in tabs:
            await tab.settle()
        reply.relay.carry(batch)
    await end(reply, State.WAITING)
    for tab in tabs:
        await tab.until(lambda page: page.state(message) == State.WAITING)
    await conversation.generations.aupdate(state=State.QUEUED)
    again = await claim_reply(reply.generation)
    replies.local.show(again)
    again.relay.carry([BlockOpened({"type": "text", "text": ""}), BlockGrew("And ten")])
    for tab in tabs:
        await tab.until(lambda page: page.text(message).endswith("And ten"))
    await end(again)
    for tab in tabs:
        await tab.until_over(message)
        assert await is_as_if_fresh(tab, conversation, message)
