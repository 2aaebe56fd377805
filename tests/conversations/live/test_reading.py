"""Reading: the list of conversations, older messages, and the Markdown of a message."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from lxml import html

from accounts.models import User
from conversations.answering.claim import claim
from conversations.answering.ending import Ending, save_ending
from conversations.answering.relay import Relay
from conversations.live import broadcasts
from conversations.live.hub import hub, person_topic
from conversations.live.sidebar import SidebarRow
from conversations.models import Conversation, Message, Participant, State
from conversations.verbs import turns
from tests.conftest import PASSWORD
from tests.conversations.asking import Opening, queue_turn
from tests.conversations.conftest import PAGE
from tests.pages import Page
from upstreams.events import BlockGrew, BlockOpened
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db

FAR_TOO_LONG = f"2026-01-01T00:00:00+00:00/{'9' * 5000}"

type SignedIn = Callable[[User], Client]


def titles(source: bytes) -> list[str]:
    document = html.fragment_fromstring(source.decode(), create_parent="div")
    return [link.text_content() for link in document.cssselect(".conversation-link")]


def begin(person: User, count: int) -> list[str]:
    for number in range(count):
        turns.begin(person, title=f"Number {number}")
    return [f"Number {number}" for number in range(count)]


def read_to_the_end(browser: Client, address: str = "/conversations/") -> list[str]:
    """All titles of a person's list, by scrolling to its end."""
    found: list[str] = []
    while address:
        source = browser.get(address).content
        found += titles(source)
        more = html.fragment_fromstring(source.decode(), create_parent="div").cssselect(".conversations-more a")
        address = more[0].get("hx-get") if more else ""
        assert len(found) < 1000
    return found


@pytest.mark.parametrize("count", [0, 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 3])
def test_everybody_reads_all_their_conversations_newest_first(browser_of: SignedIn, ada: User, count: int) -> None:
    begun = begin(ada, count)
    assert read_to_the_end(browser_of(ada)) == begun[::-1]


def test_conversations_of_the_same_moment_appear_exactly_once(browser_of: SignedIn, ada: User) -> None:
    begun = begin(ada, 2 * PAGE + 3)
    Participant.objects.update(active_at=now())
    assert read_to_the_end(browser_of(ada)) == begun[::-1]


def test_a_turn_between_two_pages_neither_repeats_nor_hides_a_conversation(browser_of: SignedIn, ada: User) -> None:
    begun = begin(ada, PAGE + 3)
    browser = browser_of(ada)
    first = browser.get("/conversations/").content
    [more] = html.fragment_fromstring(first.decode(), create_parent="div").cssselect(".conversations-more a")
    queue_turn(Conversation.objects.get(title="Number 0"), ada, "Back to this")
    begin(ada, 1)
    rest = titles(browser.get(more.get("hx-get")).content)
    assert titles(first) + rest == [title for title in begun[::-1] if title != "Number 0"]


def test_nobody_sees_other_peoples_conversations(browser_of: SignedIn, ada: User, mallory: User) -> None:
    begin(ada, 3)
    assert read_to_the_end(browser_of(mallory)) == []


@pytest.mark.parametrize(
    "after",
    ["x", "/", "2026-01-01/3", "2026-13-01T00:00:00+00:00/3", "2026-01-01T00:00:00+00:00/²", FAR_TOO_LONG],
    ids=range(6),
)
def test_an_invalid_cursor_starts_the_list_at_its_top(browser_of: SignedIn, ada: User, after: str) -> None:
    begun = begin(ada, 2)
    assert titles(browser_of(ada).get("/conversations/", {"after": after}).content) == begun[::-1]


def test_a_list_costs_the_same_however_long_it_is(browser_of: SignedIn, ada: User) -> None:
    browser, costs = browser_of(ada), []
    for count in (1, PAGE):
        begin(ada, count)
        with CaptureQueriesContext(connection) as queries:
            browser.get("/conversations/")
        costs.append(len(queries))
    assert costs[0] == costs[1]


def talk(conversation: Conversation, person: User, count: int) -> None:
    for number in range(count):
        queue_turn(conversation, person, f"Number {number}")


def messages(source: bytes) -> list[int]:
    document = html.fragment_fromstring(source.decode(), create_parent="div")
    return [int(article.get("id")[1:]) for article in document.cssselect("article.message")]


def test_older_messages_load_on_demand(browser_of: SignedIn, ada: User, conversation: Conversation) -> None:
    talk(conversation, ada, PAGE + 3)
    everything = list(Message.objects.order_by("pk").values_list("pk", flat=True))
    browser, found, address = browser_of(ada), [], f"/conversations/{conversation.pk}/messages/"
    while address:
        source = browser.get(address).content
        page = messages(source)
        assert page == sorted(page)
        found = page + found
        older = html.fragment_fromstring(source.decode(), create_parent="div").cssselect("[hx-get*='before=']")
        address = older[0].get("hx-get") if older else ""
    assert found == everything


def test_the_page_shows_the_latest_messages(browser_of: SignedIn, ada: User, conversation: Conversation) -> None:
    talk(conversation, ada, PAGE)
    source = browser_of(ada).get(f"/conversations/{conversation.pk}/").content.decode()
    shown = [article.get("id") for article in html.document_fromstring(source).cssselect("article.message")]
    assert shown == [f"m{pk}" for pk in Message.objects.order_by("pk").values_list("pk", flat=True)[PAGE:]]


@pytest.mark.parametrize("before", ["", "x", "-1", "²", "9" * 5000], ids=range(5))
def test_an_invalid_position_shows_the_latest_messages(
    browser_of: SignedIn, ada: User, conversation: Conversation, before: str
) -> None:
    talk(conversation, ada, 1)
    answer = browser_of(ada).get(f"/conversations/{conversation.pk}/messages/", {"before": before})
    assert messages(answer.content) == list(Message.objects.order_by("pk").values_list("pk", flat=True))


def test_a_conversation_costs_the_same_however_long_it_is(
    browser_of: SignedIn, ada: User, conversation: Conversation
) -> None:
    browser, address = browser_of(ada), f"/conversations/{conversation.pk}/"
    browser.get(address)
    costs = []
    for count in (1, PAGE // 2 - 1):
        talk(conversation, ada, count)
        with CaptureQueriesContext(connection) as queries:
            browser.get(address)
        costs.append(len(queries))
    assert costs[0] == costs[1]


def test_a_message_is_available_as_markdown(
    browser_of: SignedIn, ada: User, ben: User, conversation: Conversation
) -> None:
    text = "# Dear *Ben*\n\n<b>&amp;\t日本語"
    said = queue_turn(conversation, ada, text).conversation.messages.get(author=ada)
    answer = browser_of(ben).get(f"/conversations/{conversation.pk}/messages/{said.pk}/source/")
    assert answer.content.decode() == text
    assert answer["content-type"] == "text/plain; charset=utf-8"
    assert answer["x-content-type-options"] == "nosniff"


def test_a_message_is_only_found_in_its_own_conversation(
    browser_of: SignedIn, ada: User, mallory: User, conversation: Conversation
) -> None:
    said = queue_turn(conversation, ada, "Between us").conversation.messages.get(author=ada)
    mallorys = turns.begin(mallory)
    for pk in (mallorys.pk, conversation.pk):
        answer = browser_of(mallory).get(f"/conversations/{pk}/messages/{said.pk}/source/")
        assert answer.status_code == 404


@pytest.mark.parametrize("deleted", ["²", "9" * 5000, "9" * 18, "1", "x"], ids=range(5))
def test_an_invalid_query_shows_the_plain_home_page(browser_of: SignedIn, ada: User, deleted: str) -> None:
    assert browser_of(ada).get("/", {"deleted": deleted}).status_code == 200


@pytest.mark.parametrize(
    ("branch", "status"), [("9" * 5000, 200), ("x", 200), ("9" * 18, 404), ("0", 404)], ids=range(4)
)
def test_a_branch_that_is_not_there_is_not_found(
    browser_of: SignedIn, ada: User, conversation: Conversation, branch: str, status: int
) -> None:
    answer = browser_of(ada).get(f"/conversations/{conversation.pk}/", {"branch": branch})
    assert answer.status_code == status


def test_messages_of_former_users_stay(browser_of: SignedIn, ada: User, ben: User, conversation: Conversation) -> None:
    queue_turn(conversation, ben, "Goodbye")
    ben.delete()
    page = browser_of(ada).get(f"/conversations/{conversation.pk}/").content.decode()
    assert "Goodbye" in page and "Former user" in page


def test_the_list_is_sorted_by_the_latest_turn(browser_of: SignedIn, ada: User) -> None:
    begin(ada, 3)
    Participant.objects.filter(conversation__title="Number 2").update(active_at=now() - timedelta(days=1))
    assert read_to_the_end(browser_of(ada)) == ["Number 1", "Number 0", "Number 2"]


@pytest.mark.django_db(transaction=True)
async def test_two_turns_at_once_leave_one_row_in_the_list(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    tab = await (await browser(ada)).load(conversation)

    async def publish_alternately() -> list[str]:
        listening = hub.join(person_topic(ada.pk))
        await sync_to_async(broadcasts.move_to_top)(SidebarRow(conversation, is_running=False))
        hub.leave(listening)
        return [frame.html for frame in await listening.take()]

    # The frames of two turns alternate, as two threads may publish them.
    for first, second in zip(await publish_alternately(), await publish_alternately(), strict=True):
        tab.page.apply(first)
        tab.page.apply(second)
    assert len(tab.page.find(f"#conversations #conversation-{conversation.pk}")) == 1


def test_signing_in_again_leads_back_to_the_conversation(
    browser_of: SignedIn, client: Client, ada: User, conversation: Conversation
) -> None:
    page = Page(browser_of(ada).get(f"/conversations/{conversation.pk}/").content.decode())
    way = page.one("[data-connection-link]").get("href")
    answer = client.post(way, {"login": "ada", "password": PASSWORD})
    assert answer["location"] == f"/conversations/{conversation.pk}/?branch={conversation.branch_id}"
    assert client.get(answer["location"]).status_code == 200


def end_during_rendering(browser: Client, conversation: Conversation, relay: Relay, moment: int) -> tuple[Page, bool]:
    """A page during whose rendering the answer ends just before this query, and whether there was such a query."""
    queries = itertools.count()

    def watch(execute: Any, *query: Any) -> Any:
        if next(queries) == moment:
            save_ending(relay, Ending(State.COMPLETE))
        return execute(*query)

    with connection.execute_wrapper(watch):
        page = Page(browser.get(f"/conversations/{conversation.pk}/").content.decode())
    return page, next(queries) > moment


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_ends_while_the_page_is_rendered_is_complete_on_it_or_announced(
    browser_of: SignedIn, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    browser = browser_of(ada)
    states = []
    for moment in itertools.count():
        claimed = claim(queue_turn(conversation, ada, "Well?", model).pk)
        assert claimed is not None
        relay = Relay(claimed.generation, claimed.message)
        relay.carry([BlockOpened({"type": "text", "text": ""}), BlockGrew("Because.")])
        page, was_there = end_during_rendering(browser, conversation, relay, moment)
        if not was_there:
            break
        message = relay.message.pk
        states.append(page.state(message) if page.has(message) else "")
        since = int(page.one("[data-socket]").get("data-socket").split("since=")[1].split("&")[0])
        if since >= Message.objects.get(pk=message).revision:
            assert (page.state(message), page.text(message)) == ("complete", "Because.")
        elif page.state(message) == "complete":
            assert page.text(message) == "Because."
    assert {"complete", "running"} == set(states)
