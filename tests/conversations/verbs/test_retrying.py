"""Retry: another answer in place of one, which is kept."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Branch, Conversation, Generation, Message
from tests.conversations.asking import Opening, begin_and_hang, last_reply, provider_at
from tests.conversations.talking import (
    act,
    ask_and_wait,
    branch_of,
    follow,
    load_page,
    place_of,
    prompt_texts,
    retry_and_read,
    texts,
    until_it_says,
    version_links,
)
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_retry_answers_on_a_branch_of_its_own_and_the_first_answer_is_kept(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    server.say("Second.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    answer = await act(tab.browser, conversation, first, "retries")
    new = await follow(tab.browser, answer)
    second = (await last_reply(conversation)).message_id
    await until_it_says(new, second, "Second.")
    assert texts(new.page) == ["Well?", "Second."]
    assert branch_of(new.page) != branch_of(tab.page)
    assert (place_of(new.page, second), prompt_texts(server)) == ("2/2", ["Well?"])
    assert (await Message.objects.aget(pk=first)).text == "First."


async def test_links_lead_back_and_forth_between_versions(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    for text in ("First.", "Second.", "Third."):
        server.say(text)
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    for text in ("Second.", "Third."):
        tab = await retry_and_read(tab, conversation, first, text)
    seen = []
    for _ in range(3):
        version = tab.page.messages[-1]
        seen.append((tab.page.text(version), place_of(tab.page, version)))
        links = version_links(tab.page, version)
        if "Previous version" in links:
            tab = await load_page(tab.browser, links["Previous version"])
    assert seen == [("Third.", "3/3"), ("Second.", "2/3"), ("First.", "1/3")]
    assert list(links) == ["Next version"]
    tab = await load_page(tab.browser, links["Next version"])
    assert texts(tab.page) == ["Well?", "Second."]


async def test_readers_of_the_old_branch_learn_of_the_new_version_and_stay(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    server.say("Second.")
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    first = (await ask_and_wait(tabs[0], conversation, "Well?")).message_id
    answer = await act(tabs[0].browser, conversation, first, "retries")
    for tab in tabs:
        await tab.until(lambda page: page.has(first) and place_of(page, first) == "1/2")
        [link] = version_links(tab.page, first).values()
        assert link == answer.headers["hx-redirect"] + f"#m{(await last_reply(conversation)).message_id}"
        assert texts(tab.page) == ["Well?", "First."]


async def test_readers_of_another_branch_do_not_get_its_text(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    server.say("Completely ", "different.")
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    first = (await ask_and_wait(tabs[0], conversation, "Well?")).message_id
    new = await follow(tabs[0].browser, await act(tabs[0].browser, conversation, first, "retries"))
    second = (await last_reply(conversation)).message_id
    await until_it_says(new, second, "Completely different.")
    for tab in tabs:
        await tab.settle()
        assert not any("different" in message or f'id="m{second}"' in message for message in tab.messages)
        assert not tab.page.has(second)


async def test_the_new_answer_grows_for_readers_of_its_branch(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    server.say("One ", "two ", "three.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    server.hold()
    answer = await act(tab.browser, conversation, first, "retries")
    second = (await last_reply(conversation)).message_id
    viewers = [await follow(await browser(person), answer) for person in (ada, ben)]
    for text in ("One", "One two", "One two three."):
        server.step()
        for viewer in viewers:
            await viewer.until(lambda page, text=text: page.has(second) and page.text(second) == text)


async def test_another_model_answers_when_it_is_chosen(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    with ModelServer("openai") as other:
        other.say("From another.")
        chosen = await sync_to_async(provider_at)(other, "Other", name="Other model")
        await sync_to_async(model.make_default)()
        tab = await (await browser(ada)).open(conversation)
        first = (await ask_and_wait(tab, conversation, "Well?", chat_model=model.pk)).message_id
        new = await follow(tab.browser, await act(tab.browser, conversation, first, "retries", chat_model=chosen.pk))
        second = (await last_reply(conversation)).message_id
        await until_it_says(new, second, "From another.")
    assert "Other model" in new.page.article(second) and "Other model" not in tab.page.article(first)
    # This model answers from now on.
    assert new.page.one("#model option[selected]").get("value") == str(chosen.pk)


@pytest.mark.parametrize("named", ["999", "", "a model", "²"])
async def test_an_unknown_model_leaves_the_retry_to_the_conversations_model(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel, named: str
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    new = await follow(tab.browser, await act(tab.browser, conversation, first, "retries", chat_model=named))
    reply = await last_reply(conversation)
    await new.until_over(reply.message_id)
    assert reply.chat_model_id == model.pk


async def test_an_earlier_answer_is_retried_without_what_followed(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    for text in ("First.", "Second.", "Third.", "Other first.", "Fourth."):
        server.say(text)
    tab = await (await browser(ada)).open(conversation)
    first, *_ = [(await ask_and_wait(tab, conversation, text)).message_id for text in ("One?", "Two?", "Three?")]
    new = await retry_and_read(tab, conversation, first, "Other first.")
    assert (texts(new.page), prompt_texts(server)) == (["One?", "Other first."], ["One?"])
    # Both branches continue independently.
    await ask_and_wait(new, conversation, "And on?")
    assert prompt_texts(server) == ["One?", "Other first.", "And on?"]
    old = await load_page(tab.browser, version_links(new.page, new.page.messages[1])["Previous version"])
    assert texts(old.page) == ["One?", "First.", "Two?", "Second.", "Three?", "Third."]


async def test_an_answer_is_retried_while_another_version_grows(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    server.say("One ", "two ", "three ", "four.")
    server.say("Third.")
    old = await (await browser(ben)).open(conversation)
    first = (await ask_and_wait(old, conversation, "Well?")).message_id
    server.hold()
    adas = await browser(ada)
    growing = await follow(adas, await act(adas, conversation, first, "retries"))
    second = (await last_reply(conversation)).message_id
    server.step(2)
    await growing.until_text(second, "One two")
    await act(old.browser, conversation, first, "retries")
    await old.until(lambda page: place_of(page, first) == "1/3")
    server.step()
    await growing.until(lambda page: page.text(second).endswith("three"))
    assert growing.page.text(second) == "One two three"
    server.release()
    await until_it_says(growing, second, "One two three four.")
    assert place_of(growing.page, second) == "2/3"


async def test_branches_are_answered_one_after_the_other(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    begin_and_hang(server, "On and ", "on")
    server.say("Third.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    second = await follow(tab.browser, await act(tab.browser, conversation, first, "retries"))
    growing = (await last_reply(conversation)).message_id
    await second.until_text(growing, "On and on")
    third = await follow(tab.browser, await act(tab.browser, conversation, first, "retries"))
    waiting = (await last_reply(conversation)).message_id
    await third.until(lambda page: page.has(waiting))
    assert third.page.state(waiting) == "queued"
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await second.until_over(growing)
    await third.until_over(waiting)
    assert [second.page.state(growing), third.page.state(waiting)] == ["stopped", "stopped"]


async def test_only_an_answer_can_be_retried(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    tab = await (await browser(ada)).open(conversation)
    await ask_and_wait(tab, conversation, "Well?")
    said = tab.page.messages[0]
    assert (await act(tab.browser, conversation, said, "retries")).status_code == 403
    assert await Branch.objects.acount() == 1


async def test_a_stranger_cannot_retry(
    browser: Opening, ada: User, mallory: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    assert (await act(await browser(mallory), conversation, first, "retries")).status_code == 404
    assert (await (await browser(mallory)).get(f"/conversations/{conversation.pk}/?branch=1")).status_code == 404
    assert await Generation.objects.acount() == 1


async def test_without_scripts_a_retry_leads_to_the_new_branch(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("First.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    answer = await act(tab.browser, conversation, first, "retries", htmx=False)
    branch = (await last_reply(conversation)).message.branch_id
    assert (answer.status_code, answer.headers["location"]) == (
        302,
        f"/conversations/{conversation.pk}/?branch={branch}",
    )


async def test_people_who_retry_at_once_each_get_an_answer(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "Well?")).message_id
    browsers = [tab.browser, await browser(ben)]
    await asyncio.gather(*(act(each, conversation, first, "retries") for each in browsers for _ in range(2)))
    await tab.until(lambda page: place_of(page, first) == "1/5")
    last = await load_page(tab.browser, f"/conversations/{conversation.pk}/")
    assert await last.connect()
    await last.until_over((await last_reply(conversation)).message_id)
    assert {generation.state async for generation in Generation.objects.all()} == {"complete"}
