"""A turn's whole way, from one person's composer to everyone's page."""

from decimal import Decimal

import pytest
from lxml import html

from accounts.models import User
from conversations.models import Conversation, State
from tests.conversations.asking import Opening, last_reply
from tests.fakes import ModelServer
from tests.steps import Gate
from tests.viewers import Viewer
from tests.wires import reply_wire
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

STORY = [
    *("Once there was ", "a **small** cat", ".\n\n", "It liked:\n\n", "- milk\n", "- tea & <b>\n\n"),
    *("```py\nprint(", "1)\n", "```\n\n", "| a | b |\n|---|---|\n", "| 1 | 2 |\n\n", "The ", "end."),
]


def drawn(viewer: Viewer, message: int) -> str:
    """A message as HTML, without insignificant white space."""
    return " ".join(html.tostring(viewer.page.one(f"#m{message}"), encoding="unicode", with_tail=False).split())


async def test_every_viewer_ends_with_exactly_what_the_model_wrote(
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
) -> None:
    either_server.say(*STORY)
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben, ada)]
    await tabs[0].browser.say(conversation, "Tell me a story")
    reply = await last_reply(conversation)
    for tab in tabs:
        await tab.until_over(reply.message_id)
    fresh = await (await browser(ben)).load(conversation)
    assert "print(1)" in fresh.page.text(reply.message_id)
    assert [drawn(tab, reply.message_id) for tab in tabs] == [drawn(fresh, reply.message_id)] * 3
    source = await tabs[1].browser.get(f"/conversations/{conversation.pk}/messages/{reply.message_id}/source/")
    assert source.text == "".join(STORY)
    assert source.headers["content-type"] == "text/plain; charset=utf-8"


async def test_every_viewer_sees_the_answer_grow(
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
) -> None:
    either_server.say("One ", "two ", "```", "\n\nthree")
    either_server.hold()
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    await tabs[0].browser.say(conversation, "Count")
    message = (await last_reply(conversation)).message_id
    for so_far in ("One", "One two"):
        either_server.step()
        for tab in tabs:
            await tab.until(lambda page, so_far=so_far: page.has(message) and page.text(message) == so_far)
            assert tab.page.state(message) == "running"
    either_server.release()
    for tab in tabs:
        await tab.until_over(message)
        assert tab.page.state(message) == "complete"


async def test_code_appears_with_its_first_word(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("```py\nprint(", "1)\n", "```")
    server.hold()
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Code, please")
    message = (await last_reply(conversation)).message_id
    for so_far in ("print(", "print(1)"):
        server.step()
        await tab.until(lambda page, so_far=so_far: page.has(message) and page.text(message).endswith(so_far))


async def test_both_people_see_all_messages_and_authors_in_order(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    await tabs[0].browser.say(conversation, "Is it raining?")
    await tabs[0].until_over((await last_reply(conversation)).message_id)
    await tabs[1].browser.say(conversation, "Hard?")
    last = (await last_reply(conversation)).message_id
    for tab in tabs:
        await tab.until_over(last)
        texts = [tab.page.article(message) for message in tab.page.messages]
        assert [text.split()[:3] for text in texts[::2]] == [["AL", "Ada", "Lovelace"], ["BO", "Ben", "Okri"]]
        assert ["Is it raining?" in texts[0], "Hard?" in texts[2]] == [True, True]
        assert all("Test model" in text and "Yes." in text for text in texts[1::2])


async def test_viewers_see_the_thinking_and_its_time(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.say("Forty-two.", thinking=["Let me ", "see."])
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "The question?")
    message = (await last_reply(conversation)).message_id
    await tab.until_over(message)
    reply = await last_reply(conversation)
    assert [(block["type"], block[block["type"]]) for block in reply.message.blocks] == [
        ("thinking", "Let me see."),
        ("text", "Forty-two."),
    ]
    assert reply.thinking_seconds is not None and 0 <= reply.thinking_seconds < 10
    assert "Thought for" in tab.page.text(message) and "Let me see." in tab.page.text(message)


async def test_a_reply_is_saved_with_its_usage_and_cost(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.say("Hello", input_tokens=1000, output_tokens=200)
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Hello?")
    message = (await last_reply(conversation)).message_id
    await tab.until_over(message)
    reply = await last_reply(conversation)
    assert (reply.state, reply.stop_reason) == (State.COMPLETE, "end_turn")
    assert (reply.input_tokens, reply.output_tokens) == (1000, 200)
    # 1,000 tokens at 3 per million, and 200 at 15 per million.
    assert reply.cost == Decimal("0.006")
    assert (reply.model_name, reply.provider_name) == ("Test model", "Testing")
    assert reply.queued_at <= reply.started_at <= reply.first_token_at <= reply.finished_at
    assert "200 tokens" in tab.page.article(message) and "$0.0060" in tab.page.article(message)


async def test_an_answer_that_was_cut_at_its_limit_shows_it(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("And then", stop="max_tokens")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "A long story")
    message = (await last_reply(conversation)).message_id
    await tab.until_over(message)
    assert (await last_reply(conversation)).stop_reason == "max_tokens"
    assert "Stopped at the length limit – press Continue for the rest" in tab.page.article(message)


async def test_the_model_gets_all_earlier_messages(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Hello Ada.")
    tab = await (await browser(ada)).open(conversation)
    for text in ("I am Ada.", "Who am I?"):
        await tab.browser.say(conversation, text)
        await tab.until_over((await last_reply(conversation)).message_id)
    said = [(message["role"], message["content"][0]["text"]) for message in server.requests[-1].json["messages"]]
    assert said == [("user", "I am Ada."), ("assistant", "Hello Ada."), ("user", "Who am I?")]


async def test_replies_of_one_conversation_are_written_one_after_another(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    gate = Gate()
    server.stream(gate, *reply_wire(server.protocol, ["First."]))
    server.say("Second.")
    tab = await (await browser(ada)).open(conversation)
    bens = await browser(ben)
    await tab.browser.say(conversation, "One?")
    await bens.say(conversation, "Two?")
    await tab.until(lambda page: len(page.messages) == 4 and page.state(page.messages[1]) == "running")
    first, second = tab.page.messages[1::2]
    assert (tab.page.state(first), tab.page.state(second)) == ("running", "queued")
    assert "Queued – the previous answer has to finish first" in tab.page.article(second)
    gate.open()
    await tab.until_over(second)
    assert (tab.page.text(first), tab.page.text(second)) == ("First.", "Second.")
    # The second was asked only once the first was complete.
    asked = [[message["content"][-1]["text"] for message in request.json["messages"]] for request in server.requests]
    assert asked == [["One?"], ["Ada Lovelace: One?", "First.", "Ben Okri: Two?"]]


async def test_two_conversations_do_not_wait_for_each_other(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    gate = Gate()
    server.stream(gate, *reply_wire(server.protocol, ["Slow."]))
    server.say("Quick.")
    adas = await browser(ada)
    slow = await adas.open(conversation)
    await adas.say(conversation, "Take your time")
    begun = await adas.post("/turns/", htmx=False, text="Be quick")
    other = await Conversation.objects.aget(pk=int(begun.headers["location"].split("/")[2]))
    quick = await adas.open(other)
    message = (await last_reply(other)).message_id
    # The page may have been rendered at the moment of the end; the socket brings what it lacks then.
    await quick.until_text(message, "Quick.")
    gate.open()
    message = (await last_reply(conversation)).message_id
    await slow.until_over(message)
    assert slow.page.text(message) == "Slow."
