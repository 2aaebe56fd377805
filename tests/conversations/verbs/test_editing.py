"""Editing a message: the new text is on a branch of its own, and the old one stays."""

import pytest

from accounts.models import User
from conversations.forms.turn import MAX_TURN_LENGTH
from conversations.models import Branch, Conversation, Message
from tests.conversations.asking import Opening, last_reply
from tests.conversations.talking import (
    act,
    ask_and_wait,
    branch_of,
    follow,
    load_page,
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


async def test_an_edit_is_answered_on_a_branch_of_its_own(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    for text in ("First.", "Second.", "Another second."):
        server.say(text)
    for text in ("One?", "Two?"):
        await ask_and_wait(tab, conversation, text)
    said = tab.page.messages[2]
    new = await follow(tab.browser, await act(tab.browser, conversation, said, "edits", text="Two, *please*?"))
    await until_it_says(new, (await last_reply(conversation)).message_id, "Another second.")
    assert texts(new.page) == ["One?", "First.", "Two, *please*?", "Another second."]
    assert prompt_texts(server) == ["One?", "First.", "Two, *please*?"]
    edited = new.page.messages[2]
    assert (place_of(new.page, edited), place_of(new.page, new.page.messages[3])) == ("2/2", "")
    assert branch_of(new.page) != branch_of(tab.page)


async def test_the_edited_message_and_what_followed_stay_on_the_old_branch(
    browser: Opening, ben: User, tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    bens = await (await browser(ben)).open(conversation)
    for text in ("One?", "Two?", "Three?"):
        await ask_and_wait(tab, conversation, text)
    first = tab.page.messages[2]
    await act(tab.browser, conversation, first, "edits", text="Other?")
    for viewer in (tab, bens):
        await viewer.until(lambda page: place_of(page, first) == "1/2")
        assert texts(viewer.page) == ["One?", "Yes.", "Two?", "Yes.", "Three?", "Yes."]
    [forward] = version_links(bens.page, first).values()
    other = await load_page(bens.browser, forward)
    assert texts(other.page)[:3] == ["One?", "Yes.", "Other?"]
    [back] = version_links(other.page, other.page.messages[2]).values()
    assert texts((await load_page(bens.browser, back)).page) == texts(bens.page)


async def test_the_very_first_message_can_be_edited_and_edited_again(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    for text in ("First.", "Second.", "Third."):
        server.say(text)
    await ask_and_wait(tab, conversation, "One?")
    first = tab.page.messages[0]
    seen = []
    for question, answer in (("Two?", "Second."), ("Three?", "Third.")):
        new = await follow(tab.browser, await act(tab.browser, conversation, first, "edits", text=question))
        await until_it_says(new, (await last_reply(conversation)).message_id, answer)
        seen.append((texts(new.page), place_of(new.page, new.page.messages[0]), prompt_texts(server)))
    assert seen == [
        (["Two?", "Second."], "2/2", ["Two?"]),
        (["Three?", "Third."], "3/3", ["Three?"]),
    ]
    await tab.until(lambda page: place_of(page, first) == "1/3")
    middle = await load_page(tab.browser, version_links(new.page, new.page.messages[0])["Previous version"])
    assert texts(middle.page) == ["Two?", "Second."]
    assert set(version_links(middle.page, middle.page.messages[0])) == {"Previous version", "Next version"}


async def test_after_an_edit_of_an_edit_all_three_can_be_read(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    await ask_and_wait(tab, conversation, "One?")
    await ask_and_wait(tab, conversation, "Two?")
    at = tab
    for question in ("Two, or three?", "Two, three or four?"):
        answer = await act(tab.browser, conversation, at.page.messages[2], "edits", text=question)
        at = await follow(tab.browser, answer)
        await until_it_says(at, (await last_reply(conversation)).message_id, "Yes.")
    seen = []
    for _ in range(3):
        seen.append((texts(at.page)[2], place_of(at.page, at.page.messages[2])))
        links = version_links(at.page, at.page.messages[2])
        at = await load_page(at.browser, links["Previous version"]) if "Previous version" in links else at
    assert seen == [("Two, three or four?", "3/3"), ("Two, or three?", "2/3"), ("Two?", "1/3")]


async def test_the_edit_form_has_the_text_as_it_was_typed(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    text = "  <b>Dear</b> all,\n\n*I* & you</textarea>"
    await ask_and_wait(tab, conversation, text)
    address = f"/conversations/{conversation.pk}/messages/{tab.page.messages[0]}/edits/"
    for headers in ({}, {"hx-request": "true"}):
        form = await tab.browser.get(address, **headers)
        assert form.status_code == 200
        assert "&lt;b&gt;Dear&lt;/b&gt; all,\n\n*I* &amp; you&lt;/textarea&gt;" in form.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "Write a message first."), (" \n", "Write a message first."), ("a" * (MAX_TURN_LENGTH + 1), "Too long")],
    ids=["empty", "blank", "too long"],
)
async def test_an_empty_edit_is_refused_in_words(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel, text: str, expected: str
) -> None:
    server.say("Yes.")
    await ask_and_wait(tab, conversation, "One?")
    for htmx in (True, False):
        answer = await act(tab.browser, conversation, tab.page.messages[0], "edits", text=text, htmx=htmx)
        assert answer.status_code == 422
        assert expected in answer.text
    assert await Branch.objects.acount() == 1


async def test_nobody_edits_another_persons_message(
    browser: Opening,
    ben: User,
    mallory: User,
    tab: Viewer,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
) -> None:
    server.say("Yes.")
    await ask_and_wait(tab, conversation, "One?")
    bens = await (await browser(ben)).open(conversation)
    await ask_and_wait(bens, conversation, "Two?")
    adas, reply, bens_own, _ = bens.page.messages
    malicious = await browser(mallory)
    for somebody, message, status in (
        (bens.browser, adas, 403),
        (bens.browser, reply, 403),
        (tab.browser, bens_own, 403),  # Not even by the owner of the conversation.
        (malicious, adas, 404),
    ):
        address = f"/conversations/{conversation.pk}/messages/{message}/edits/"
        assert (await somebody.get(address)).status_code == status
        assert (await somebody.post(address, text="Mine")).status_code == status
    assert (await Message.objects.acount(), await Branch.objects.acount()) == (4, 1)


async def test_without_scripts_an_edit_leads_to_its_branch(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    await ask_and_wait(tab, conversation, "One?")
    answer = await act(tab.browser, conversation, tab.page.messages[0], "edits", text="Two?", htmx=False)
    branch = (await last_reply(conversation)).message.branch_id
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/conversations/{conversation.pk}/?branch={branch}"


async def test_the_chosen_model_answers_the_edit(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    await ask_and_wait(tab, conversation, "One?")
    other = await model.provider.chat_models.acreate(model_id="other", name="Other model")
    first = tab.page.messages[0]
    new = await follow(
        tab.browser, await act(tab.browser, conversation, first, "edits", text="Two?", chat_model=other.pk)
    )
    await until_it_says(new, (await last_reply(conversation)).message_id, "Yes.")
    assert server.requests[-1].json["model"] == "other"


async def test_the_model_of_the_conversation_answers_the_edit_when_none_is_chosen(
    tab: Viewer, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    other = await model.provider.chat_models.acreate(model_id="other", name="Other model")
    await ask_and_wait(tab, conversation, "One?", chat_model=other.pk)
    first = tab.page.messages[0]
    new = await follow(tab.browser, await act(tab.browser, conversation, first, "edits", text="Two?"))
    await until_it_says(new, (await last_reply(conversation)).message_id, "Yes.")
    assert server.requests[-1].json["model"] == "other"
