"""Posting a turn: it is checked, it is never lost, and its place is the same for all."""

import asyncio
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from lxml import html

from accounts.models import User
from conversations.forms.turn import MAX_TURN_LENGTH
from conversations.models import Conversation, Generation, Message
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.fakes import ModelServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


def alert(source: str) -> str:
    return " ".join(html.fragment_fromstring(source, create_parent="div").text_content().split())


def composer_text(source: str) -> str:
    """The text in the composer of a page."""
    [box] = html.document_fromstring(source).cssselect("#message")
    text: str = box.text or ""
    return text.removeprefix("\n")


REFUSED = [
    ("", "Write a message first."),
    (" \n\t\r\n", "Write a message first."),
    (
        "a" * (MAX_TURN_LENGTH + 1),
        f"Too long: {MAX_TURN_LENGTH + 1:,} of at most {MAX_TURN_LENGTH:,} characters. Attach it as a file instead.",
    ),
    ("a\0b", "Null characters are not allowed."),
]


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=["empty", "blank", "too long", "NUL"])
@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_a_turn_that_cannot_be_posted_is_refused_in_words(
    browser: Opening, ada: User, conversation: Conversation, text: str, words: str, is_begun: bool
) -> None:
    address = f"/conversations/{conversation.pk}/turns/" if is_begun else "/turns/"
    adas = await browser(ada)
    answer = await adas.post(address, text=text)
    assert answer.status_code == 422
    assert alert(answer.text) == words
    page = await adas.post(address, htmx=False, text=text)
    assert page.status_code == 422
    assert words in page.text
    assert await Message.objects.acount() == 0


@pytest.mark.parametrize("is_begun", [True, False])
async def test_without_scripts_a_refused_text_stays_in_the_composer(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    is_begun: bool,
) -> None:
    address = f"/conversations/{conversation.pk}/turns/" if is_begun else "/turns/"
    text = "<b>Dear</b> all,\n\n\tI & you</textarea>"
    page = await (await browser(ada)).post(address, htmx=False, text=text, chat_model="999")
    assert page.status_code == 422
    assert "This model is no longer available. Choose another one." in page.text
    assert composer_text(page.text) == text


@pytest.mark.parametrize("named", ["999", "not a number", "-1"])
async def test_a_model_that_is_not_offered_is_refused_in_words(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel, named: str
) -> None:
    answer = await (await browser(ada)).say(conversation, "Hello", chat_model=named)
    assert answer.status_code == 422
    assert alert(answer.text) == "This model is no longer available. Choose another one."


async def test_a_model_that_was_switched_off_meanwhile_is_refused(
    browser: Opening, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    await ChatModel.objects.aupdate(is_enabled=False, is_default=False)
    answer = await (await browser(ada)).say(conversation, "Hello", chat_model=model.pk)
    assert answer.status_code == 422


async def test_lines_end_the_same_way_wherever_they_were_typed(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    await (await browser(ada)).say(conversation, "\r\n  one\r\ntwo  \r\n\r\nthree\n\n")
    said = await Message.objects.aget(author=ada)
    assert said.text == "  one\ntwo  \n\nthree"


async def test_every_character_survives(browser: Opening, ada: User, conversation: Conversation) -> None:
    text = "naïve 日本語 🙂 \u2028 <script>alert(1)</script> & %00 ‮ end"
    await (await browser(ada)).say(conversation, text)
    assert (await Message.objects.aget(author=ada)).text == text


async def test_the_first_turn_makes_the_conversation_and_names_it(
    browser: Opening, ada: User, server: ModelServer, model: ChatModel
) -> None:
    server.say("Rain.")
    adas = await browser(ada)
    answer = await adas.post("/turns/", text="What about *tomorrow*?\nI have to go out.")
    conversation = await Conversation.objects.aget()
    assert answer.headers["hx-redirect"] == f"/conversations/{conversation.pk}/"
    assert conversation.title == "What about tomorrow?"
    assert [person.user_id async for person in conversation.participants.all()] == [ada.pk]
    tab = await adas.open(conversation)
    await tab.until_over((await last_reply(conversation)).message_id)
    assert tab.page.title == "What about tomorrow?"


async def test_without_scripts_the_first_turn_leads_to_the_conversation(browser: Opening, ada: User) -> None:
    answer = await (await browser(ada)).post("/turns/", htmx=False, text="Hello")
    conversation = await Conversation.objects.aget()
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")


async def test_a_turn_leaves_the_page_where_it_is_with_scripts_and_leads_back_without(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    assert (await adas.say(conversation, "Hello")).status_code == 201
    answer = await adas.post(f"/conversations/{conversation.pk}/turns/", htmx=False, text="Hello")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")


async def test_a_turn_does_not_change_an_existing_title(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    await Conversation.objects.filter(pk=conversation.pk).aupdate(title="Weather")
    await (await browser(ada)).say(conversation, "Hello")
    assert (await Conversation.objects.aget()).title == "Weather"


async def test_the_model_that_was_chosen_answers_and_stays_chosen(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Hello.")
    adas, bens = await browser(ada), await browser(ben)
    second = await model.provider.chat_models.acreate(model_id="second", name="Second model")
    await adas.say(conversation, "Hello?", chat_model=second.pk)
    tab = await bens.open(conversation)
    await tab.until_over((await last_reply(conversation)).message_id)
    assert server.requests[-1].json["model"] == "second"
    assert tab.page.one("#model option[selected]").get("value") == str(second.pk)


async def test_another_provider_answers_when_it_is_chosen(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    with ModelServer("openai") as other:
        other.say("From the other.")
        chosen = await sync_to_async(provider_at)(other, "Other")
        await sync_to_async(model.make_default)()
        tab = await (await browser(ada)).open(conversation)
        await tab.browser.say(conversation, "Who is there?", chat_model=chosen.pk)
        reply = await last_reply(conversation)
        await tab.until_over(reply.message_id)
    assert tab.page.text(reply.message_id) == "From the other."
    assert server.requests == []


async def test_turns_posted_at_once_have_the_same_order_for_all(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    tabs = [await (await browser(person)).open(conversation) for person in (ada, ben)]
    await asyncio.gather(*(tab.browser.say(conversation, f"{number}") for tab in tabs for number in range(4)))
    order = [message.pk async for message in Message.objects.order_by("pk")]
    last = (await last_reply(conversation)).message_id
    for tab in tabs:
        await tab.until_over(last)
        await tab.until(lambda page: len(page.messages) == 16)
        assert tab.page.messages == order
    # No turn came between another one's question and answer.
    roles = [message.role async for message in Message.objects.order_by("pk")]
    assert roles == ["user", "assistant"] * 8
    assert {generation.state async for generation in Generation.objects.all()} == {"complete"}


async def test_a_turn_moves_the_conversation_to_the_top_of_everybodys_list(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    adas, bens = await browser(ada), await browser(ben)
    await adas.post("/turns/", text="Something else")
    await adas.say(conversation, "Back to this")
    page = await adas.get("/")
    titles = [link.text_content() for link in html.document_fromstring(page.text).cssselect(".conversation-link")]
    assert titles == ["Back to this", "Something else"]
    page = await bens.get("/")
    titles = [link.text_content() for link in html.document_fromstring(page.text).cssselect(".conversation-link")]
    assert titles == ["Back to this"]


async def test_a_request_from_another_site_is_refused(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    address = f"/conversations/{conversation.pk}/turns/"
    forged = await adas.http.post(address, data={"text": "Hi"})
    assert forged.status_code == 403
    headers = {"x-csrftoken": "f" * 32, "origin": "https://evil.example"}
    assert (await adas.http.post(address, data={"text": "Hi"}, headers=headers)).status_code == 403
    assert await Message.objects.acount() == 0


async def test_a_turn_that_is_sent_twice_is_posted_once(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas, key = await browser(ada), str(uuid4())
    answers = [await adas.say(conversation, "Hello", key=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert await Message.objects.filter(author=ada).acount() == 1


async def test_a_first_turn_that_is_sent_twice_leads_to_one_conversation(browser: Opening, ada: User) -> None:
    adas, key = await browser(ada), str(uuid4())
    answers = await asyncio.gather(*(adas.post("/turns/", text="Hello", key=key) for _ in range(2)))
    conversation = await Conversation.objects.aget()
    assert {answer.headers["hx-redirect"] for answer in answers} == {f"/conversations/{conversation.pk}/"}
    assert await Message.objects.filter(author=ada).acount() == 1


async def test_unsent_text_appears_in_another_tab(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    adas, bens, address = await browser(ada), await browser(ben), f"/conversations/{conversation.pk}/"
    text = "Half a thought\nand </textarea><b>"
    assert (await adas.post(f"{address}unsent/", text=text)).status_code == 204
    assert composer_text((await adas.get(address)).text) == text
    assert composer_text((await bens.get(address)).text) == ""
    await adas.say(conversation, "Half a thought, finished")
    assert composer_text((await adas.get(address)).text) == ""


@pytest.mark.parametrize("key", ["z" * 36, "not a key", "0" * 36])
async def test_an_invalid_key_causes_no_error(
    browser: Opening, ada: User, conversation: Conversation, key: str
) -> None:
    adas = await browser(ada)
    assert (await adas.post("/unsent/", text="Hello", key=key)).status_code == 204
    assert (await adas.say(conversation, "Hello", key=key)).status_code in (201, 422)
