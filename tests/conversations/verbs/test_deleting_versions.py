"""Deleting one of several versions leaves links to the others, live and after a reload."""

import pytest

from accounts.models import User
from conversations.live.hub import Frame, conversation_topic, hub
from conversations.models import Conversation
from tests.conversations.asking import Opening, begin_and_hang, last_reply
from tests.conversations.talking import (
    act,
    ask_and_wait,
    follow,
    load_page,
    place_of,
    texts,
    until_it_says,
    version_links,
)
from tests.fakes import ModelServer
from tests.pages import Page
from tests.viewers import Viewer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def add_version(tab: Viewer, conversation: Conversation, message: int, *, verb: str = "retries") -> Viewer:
    """Another version of a message, in the tab of the person who asked for it."""
    there = await follow(tab.browser, await act(tab.browser, conversation, message, verb, text="Well, then?"))
    await until_it_says(there, (await last_reply(conversation)).message_id, "Yes.")
    return there


def place(page: Page, message: int) -> tuple[str, dict[str, str]]:
    """The text in place of a deleted message, and the links of its arrows. Both are empty if there is nothing."""
    return (page.article(message), version_links(page, message)) if page.has(message) else ("", {})


async def test_deleting_the_version_in_view_leads_to_another_one_with_an_undo(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    there = await add_version(tab, conversation, first)
    second = there.page.messages[-1]
    answer = await act(there.browser, conversation, second, "delete")
    assert answer.headers["hx-redirect"].endswith(f"#m{first}")
    led = await follow(tab.browser, answer)
    assert led.page.messages == tab.page.messages
    [undo] = led.page.find(".toast form")
    bare = await load_page(tab.browser, f"/conversations/{conversation.pk}/")
    assert (bare.page.messages, bare.page.find(".toast")) == (tab.page.messages, [])
    assert (await tab.browser.post(undo.get("hx-post"))).status_code == 204
    for each in (tab, led):
        await each.until(lambda page: place_of(page, first) == "1/2")
    back = await load_page(tab.browser, answer.headers["hx-redirect"])
    assert back.page.find(".toast") == [], "there is nothing to undo any more"


async def test_other_readers_of_a_deleted_version_get_links_to_those_left(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    on_second, on_third = [await add_version(tab, conversation, first) for _ in range(2)]
    second, third = on_second.page.messages[-1], on_third.page.messages[-1]
    bens = await (await browser(ben)).open(conversation)
    assert bens.page.messages[-1] == third
    for deleted, reader in ((second, on_second), (third, bens)):
        await act(tab.browser, conversation, deleted, "delete")
        await reader.until(lambda page, deleted=deleted: page.state(deleted) == "deleted")
    await on_second.until(lambda page: "1 left" in page.article(second))
    for deleted, reader in ((second, on_second), (third, bens)):
        words, arrows = place(reader.page, deleted)
        assert words == "This version was deleted 1 left"
        assert [(label, link.split("#")[1]) for label, link in arrows.items()] == [("Previous version", f"m{first}")]
        address = reader.page.one("[data-socket]").get("data-socket").removeprefix("/ws")
        fresh = await load_page(reader.browser, address)
        assert place(fresh.page, deleted) == (words, arrows)
    assert place_of(tab.page, first) == ""


async def test_the_place_of_deleted_versions_disappears_with_the_last_and_returns_with_one(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    there = await add_version(tab, conversation, first)
    second = there.page.messages[-1]
    for message in (second, first):
        answer = await act(tab.browser, conversation, message, "delete")
    assert "hx-redirect" not in answer.headers, "there is nothing to read instead"
    for each in (tab, there):
        await each.until(lambda page: not page.has(first) and not page.has(second))
    await act(tab.browser, conversation, first, "restore")
    await tab.until(lambda page: page.has(first))
    await there.until(lambda page: page.has(second))
    assert (tab.page.state(first), there.page.state(second)) == ("complete", "deleted")
    await act(tab.browser, conversation, second, "restore")
    await there.until(lambda page: page.state(second) == "complete")
    assert (place_of(there.page, second), texts(there.page)[-1]) == ("2/2", "Yes.")


async def test_deleting_a_version_that_messages_follow_leads_nowhere_else(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    await ask_and_wait(tab, conversation, "Sure?")
    there = await add_version(tab, conversation, first)
    answer = await act(tab.browser, conversation, first, "delete")
    assert "hx-redirect" not in answer.headers and "Undo" in answer.text
    await tab.until(lambda page: page.state(first) == "deleted")
    assert texts(tab.page) == ["Well?", "Sure?", "Yes."]
    [link] = version_links(tab.page, first).values()
    assert link.endswith(f"#m{there.page.messages[-1]}")


async def test_a_deleted_first_message_links_to_its_other_versions(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    await ask_and_wait(tab, conversation, "Well?")
    question = tab.page.messages[0]
    there = await add_version(tab, conversation, question, verb="edits")
    edited = there.page.messages[0]
    await act(tab.browser, conversation, edited, "delete")
    await there.until(lambda page: page.state(edited) == "deleted")
    fresh = await load_page(tab.browser, f"/conversations/{conversation.pk}/")
    for page in (there.page, fresh.page):
        assert texts(page) == ["Yes."]
        assert [link.split("#")[1] for link in version_links(page, edited).values()] == [f"m{question}"]


async def test_only_those_who_may_restore_a_message_are_offered_it(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    there = await add_version(tab, conversation, first)
    answer = await act(there.browser, conversation, there.page.messages[-1], "delete", htmx=False)
    offers = [
        bool((await load_page(await browser(person), answer.headers["location"])).page.find(".toast"))
        for person in (ada, ben)
    ]
    assert offers == [True, False]


async def test_a_version_that_is_being_written_stays_deleted_whatever_frames_are_lost(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    server.forget()
    begin_and_hang(server, "I could ", "go on")
    there = await follow(tab.browser, await act(tab.browser, conversation, first, "retries"))
    second = (await last_reply(conversation)).message_id
    await there.until_text(second, "I could go on")
    await act(tab.browser, conversation, second, "delete")
    await there.until(lambda page: page.state(second) == "deleted")
    hub.publish(conversation_topic(conversation.pk), Frame("", must_catch_up=True))
    await there.settle()
    assert there.page.state(second) == "deleted"
    await act(tab.browser, conversation, second, "restore")
    await there.until(lambda page: page.state(second) == "running" and page.text(second) == "I could go on")
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await there.until_over(second)
