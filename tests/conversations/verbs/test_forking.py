"""Forking: everything up to a message is copied into a conversation of the person's own."""

import pytest

from accounts.models import User
from conversations.models import Conversation, Generation, Message, Participant
from conversations.models.message import text_block
from tests.conversations.asking import Opening, ask_and_read, begin_and_hang
from tests.conversations.talking import (
    aadd_exchange,
    act,
    actions_of,
    ask_and_wait,
    follow,
    place_of,
    prompt_texts,
    retry_and_read,
    texts,
    until_it_says,
)
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


async def add_exchanges(conversation: Conversation, person: User, *questions: str) -> list[int]:
    for question in questions:
        await aadd_exchange(conversation, person, question, f"{question}!")
    return [message.pk async for message in conversation.messages.order_by("pk")]


async def copy_of(conversation: Conversation) -> Conversation:
    return await Conversation.objects.exclude(pk=conversation.pk).select_related("branch").aget()


async def test_a_fork_copies_the_path_up_to_the_message(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    messages = await add_exchanges(conversation, ada, "One", "Two", "Three")
    bens = await (await browser(ben)).open(conversation)
    copied = await follow(bens.browser, await act(bens.browser, conversation, messages[3], "forks"))
    assert texts(copied.page) == ["One", "One!", "Two", "Two!"]
    assert not set(copied.page.messages) & set(messages)
    assert [place_of(copied.page, message) for message in copied.page.messages] == [""] * 4
    await bens.settle()
    assert texts(bens.page) == ["One", "One!", "Two", "Two!", "Three", "Three!"]


async def test_a_fork_belongs_to_the_person_alone(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    messages = await add_exchanges(conversation, ada, "One")
    bens = await browser(ben)
    await act(bens, conversation, messages[0], "forks")
    copied = await copy_of(conversation)
    owners = [(each.user_id, each.role) async for each in copied.participants.all()]
    assert owners == [(ben.pk, Participant.Role.OWNER)]
    assert (await (await browser(ada)).get(f"/conversations/{copied.pk}/")).status_code == 404
    await bens.say(copied, "Only for me")
    assert await conversation.messages.acount() == 2


async def test_a_fork_keeps_authors_and_times(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    messages = await add_exchanges(conversation, ada, "One")
    messages = await add_exchanges(conversation, ben, "Two")
    await act(await browser(ben), conversation, messages[3], "forks")
    fields = ("role", "author", "blocks", "created_at")
    original = [row async for row in conversation.messages.values_list(*fields)]
    copied = [row async for row in (await copy_of(conversation)).messages.values_list(*fields)]
    assert copied == original


async def test_a_fork_keeps_the_figures_and_signatures_of_answers(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.", thinking=["Hm."])
    tab = await (await browser(ada)).open(conversation)
    reply = await ask_and_wait(tab, conversation, "Well?")
    copied = await follow(tab.browser, await act(tab.browser, conversation, reply.message_id, "forks"))
    copy = await copy_of(conversation)
    [ended] = [each async for each in Generation.objects.filter(conversation=copy)]
    for name in ("state", "model_name", "output_tokens", "cost", "started_at", "finished_at", "chat_model_id"):
        assert getattr(ended, name) == getattr(reply, name)
    await ask_and_wait(copied, copy, "And?")
    [_, answer, _] = server.requests[-1].json["messages"]
    assert answer["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "signed"}
    assert texts(tab.page)[0] == "Well?" and len(tab.page.messages) == 2


async def test_a_fork_keeps_settings_title_and_model(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    settings = {"title": "Tea", "system_prompt": "Be brief.", "temperature": 0.5, "stop_sequences": ["END"]}
    await Conversation.objects.aupdate(**settings)
    tab = await (await browser(ada)).open(conversation)
    other = await model.provider.chat_models.acreate(model_id="other", name="Other model")
    reply = await ask_and_wait(tab, conversation, "Well?", chat_model=other.pk)
    await act(tab.browser, conversation, reply.message_id, "forks")
    copied = await copy_of(conversation)
    assert {name: getattr(copied, name) for name in settings} == settings
    assert copied.chat_model_id == other.pk


async def test_a_fork_and_its_source_continue_independently(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    reply = await ask_and_wait(tab, conversation, "One?")
    copied = await follow(tab.browser, await act(tab.browser, conversation, reply.message_id, "forks"))
    copy = await copy_of(conversation)
    await ask_and_wait(copied, copy, "In the copy?")
    assert prompt_texts(server) == ["One?", "Yes.", "In the copy?"]
    await ask_and_wait(tab, conversation, "In the first?")
    assert prompt_texts(server) == ["One?", "Yes.", "In the first?"]
    await copied.settle()
    assert texts(copied.page) == ["One?", "Yes.", "In the copy?", "Yes."]


async def test_a_fork_copies_the_branch_of_the_message(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    for text in ("First.", "Second.", "Third."):
        server.say(text)
    tab = await (await browser(ada)).open(conversation)
    first = (await ask_and_wait(tab, conversation, "One?")).message_id
    new = await retry_and_read(tab, conversation, first, "Second.")
    last = (await ask_and_wait(new, conversation, "Two?")).message_id
    copied = await follow(new.browser, await act(new.browser, conversation, last, "forks"))
    assert texts(copied.page) == ["One?", "Second.", "Two?", "Third."]
    # The conversation was last spoken on the other branch.
    copied = await follow(tab.browser, await act(tab.browser, conversation, first, "forks"))
    assert texts(copied.page) == ["One?", "First."]


async def test_a_fork_leaves_out_deleted_messages(browser: Opening, ada: User, conversation: Conversation) -> None:
    messages = await add_exchanges(conversation, ada, "One", "Two")
    adas = await browser(ada)
    await act(adas, conversation, messages[1], "delete")
    copied = await follow(adas, await act(adas, conversation, messages[3], "forks"))
    assert texts(copied.page) == ["One", "Two", "Two!"]


async def test_a_running_answer_is_copied_as_far_as_it_is_written(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    tab = await (await browser(ada)).open(conversation)
    message = await ask_and_read(tab, conversation, "Well?", "I could go on")
    await Message.objects.filter(pk=message).aupdate(blocks=[text_block("I could go on")])
    copied = await follow(tab.browser, await act(tab.browser, conversation, message, "forks"))
    [_, copy] = copied.page.messages
    assert (copied.page.state(copy), copied.page.text(copy)) == ("interrupted", "I could go on")
    assert {"Continue", "Retry"} <= actions_of(copied.page, copy)
    server.forget()
    server.say(" here.")
    await act(copied.browser, await copy_of(conversation), copy, "continuations")
    await until_it_says(copied, copy, "I could go on here.")


async def test_a_fork_appears_at_the_top_of_the_persons_lists_at_once(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    messages = await add_exchanges(conversation, ada, "One")
    tabs = {person.pk: await (await browser(person)).open(conversation) for person in (ada, ben)}
    await act(tabs[ben.pk].browser, conversation, messages[1], "forks")
    copied = await copy_of(conversation)
    await tabs[ben.pk].until(lambda page: page.find(f"#conversations > #conversation-{copied.pk}:first-child"))
    await tabs[ada.pk].settle()
    assert not tabs[ada.pk].page.find(f"#conversation-{copied.pk}")


async def test_a_stranger_cannot_fork(browser: Opening, ada: User, mallory: User, conversation: Conversation) -> None:
    messages = await add_exchanges(conversation, ada, "One")
    assert (await act(await browser(mallory), conversation, messages[0], "forks")).status_code == 404
    assert await Conversation.objects.acount() == 1


async def test_without_scripts_forking_leads_to_the_copy(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    messages = await add_exchanges(conversation, ada, "One")
    answer = await act(await browser(ada), conversation, messages[0], "forks", htmx=False)
    copied = await copy_of(conversation)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{copied.pk}/")
