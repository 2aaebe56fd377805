"""The members of a conversation: adding, removing, leaving, and what each of them sees."""

import pytest
from asgiref.sync import sync_to_async
from httpx import Response
from lxml import html

from accounts.models import User
from conversations.models import Conversation, Participant
from conversations.prompt.transcript import SEVERAL_PEOPLE
from conversations.verbs import turns
from tests.conversations.asking import Opening, begin_and_hang, last_reply
from tests.conversations.talking import ask_and_wait, prompt_texts, texts
from tests.fakes import ModelServer
from tests.pages import Page, words
from tests.viewers import Browser
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

SHUT_OUT = 4403


@pytest.fixture
def alone(ada: User) -> Conversation:
    """Ada's conversation, without other members."""
    return turns.begin(ada)


async def let_in(browser: Browser, conversation: Conversation, name: str) -> Response:
    return await browser.post(f"/conversations/{conversation.pk}/members/", name=name)


async def remove(browser: Browser, conversation: Conversation, person: User, **how: bool) -> Response:
    return await browser.post(f"/conversations/{conversation.pk}/members/{person.pk}/remove/", **how)


async def people_in(conversation: Conversation) -> list[str]:
    return [each.user.username async for each in conversation.participants.select_related("user").order_by("pk")]


def alert(answer: Response) -> str:
    alerts = html.fragment_fromstring(answer.text, create_parent="div").cssselect("[role=alert]")
    return " ".join(words(each) for each in alerts)


def faces(page: Page) -> list[str]:
    return [words(face) for face in page.find("#faces .mark")]


@pytest.mark.parametrize("name", ["ben", "BEN", "  ben ", "Ben Okri", "ben okri"])
async def test_the_owner_adds_people_by_username_or_by_name(
    browser: Opening, ada: User, ben: User, alone: Conversation, name: str
) -> None:
    answer = await let_in(await browser(ada), alone, name)
    assert (answer.status_code, alert(answer)) == (200, "")
    assert "Ben Okri" in answer.text
    assert await people_in(alone) == ["ada", "ben"]
    assert (await (await browser(ben)).get(f"/conversations/{alone.pk}/")).status_code == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "Enter a username first."),
        ("  ", "Enter a username first."),
        ("nobody", "No user “nobody” found. Enter the exact username."),
        ("be", "No user “be” found. Enter the exact username."),
        ("%", "No user “%” found. Enter the exact username."),
        ("<b>Ben</b>", "No user “<b>Ben</b>” found. Enter the exact username."),
        ("Sam Twin", "More than one person is called “Sam Twin”. Enter the username."),
        ("ada", "Ada Lovelace is already in this conversation."),
        ("gone", "No user “gone” found. Enter the exact username."),
    ],
)
async def test_a_name_that_cannot_be_added_is_explained_and_stays_in_the_form(
    browser: Opening, ada: User, ben: User, alone: Conversation, name: str, expected: str
) -> None:
    def others() -> None:
        for username in ("sam1", "sam2"):
            User.objects.create_user(username, name="Sam Twin")
        User.objects.create_user("gone", name="Gone", is_active=False)

    await sync_to_async(others)()
    adas = await browser(ada)
    for htmx in (True, False):
        answer = await adas.post(f"/conversations/{alone.pk}/members/", name=name, htmx=htmx)
        assert answer.status_code == 422
        assert expected in " ".join(words(each) for each in Page(answer.text).find("[role=alert]"))
        [field] = Page(answer.text).find("#add-people")
        assert field.get("value") == name
    assert await people_in(alone) == ["ada"]


async def test_two_people_with_one_name_are_told_apart_by_username(
    browser: Opening, ada: User, alone: Conversation
) -> None:
    for username in ("sam1", "sam2"):
        await sync_to_async(User.objects.create_user)(username, name="Sam Twin")
    await let_in(await browser(ada), alone, "sam2")
    assert await people_in(alone) == ["ada", "sam2"]


async def test_a_username_wins_over_somebody_elses_name(browser: Opening, ada: User, alone: Conversation) -> None:
    await sync_to_async(User.objects.create_user)("impostor", name="ben")
    await sync_to_async(User.objects.create_user)("ben", name="Ben Okri")
    await let_in(await browser(ada), alone, "ben")
    assert await people_in(alone) == ["ada", "ben"]


async def test_a_new_member_reads_earlier_messages_and_sees_new_ones(
    browser: Opening, ada: User, ben: User, alone: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    adas = await (await browser(ada)).open(alone)
    await ask_and_wait(adas, alone, "One?")
    await let_in(adas.browser, alone, "ben")
    bens = await (await browser(ben)).open(alone)
    assert texts(bens.page) == ["One?", "Yes."]
    reply = await ask_and_wait(adas, alone, "Two?")
    await bens.until_over(reply.message_id)
    assert texts(bens.page) == ["One?", "Yes.", "Two?", "Yes."]
    answer = await bens.browser.say(alone, "Three?")
    assert answer.status_code == 201


async def test_a_new_members_list_has_it_at_once_and_everybody_sees_the_new_face(
    browser: Opening, ada: User, ben: User, alone: Conversation
) -> None:
    adas = await (await browser(ada)).open(alone)
    bens = (await browser(ben)).tab(Page((await (await browser(ben)).get("/")).text))
    assert await bens.connect()
    await let_in(adas.browser, alone, "ben")
    await bens.until(lambda page: page.find(f"#conversation-{alone.pk}"))
    await adas.until(lambda page: len(faces(page)) == 2)
    assert faces(adas.page) == ["AL", "BO"]
    await remove(adas.browser, alone, ben)
    await bens.until(lambda page: not page.find(f"#conversation-{alone.pk}"))
    await adas.until(lambda page: faces(page) == ["AL"])


async def test_a_removed_member_loses_access_in_the_middle_of_an_answer(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Hello ", "secret")
    server.hold()
    adas = await (await browser(ada)).open(conversation)
    bens = [await (await browser(ben)).open(conversation) for _ in range(2)]
    await adas.browser.say(conversation, "Well?")
    message = (await last_reply(conversation)).message_id
    server.step()
    for tab in (adas, *bens):
        await tab.until_text(message, "Hello")
    assert (await remove(adas.browser, conversation, ben)).status_code == 200
    for tab in bens:
        assert await tab.until_closed() == SHUT_OUT
    server.release()
    await adas.until_over(message)
    assert adas.page.text(message) == "Hello secret"
    for tab in bens:
        assert not any("secret" in each for each in tab.messages)
        await tab.close()
        assert not await tab.connect()
    assert (await bens[0].browser.get(f"/conversations/{conversation.pk}/")).status_code == 404
    assert (await bens[0].browser.say(conversation, "Let me in")).status_code == 404


async def test_a_removed_member_can_be_added_again(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    adas, bens = await browser(ada), await browser(ben)
    await remove(adas, conversation, ben)
    await let_in(adas, conversation, "ben")
    await (await bens.open(conversation)).settle()


async def test_a_member_leaves(browser: Opening, ada: User, ben: User, conversation: Conversation) -> None:
    tab, other = await (await browser(ben)).open(conversation), await (await browser(ada)).open(conversation)
    answer = await remove(tab.browser, conversation, ben, htmx=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/")
    assert await tab.until_closed() == SHUT_OUT
    await other.settle()
    assert await people_in(conversation) == ["ada"]


async def test_the_owner_cannot_leave_or_be_removed(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    answer = await remove(await browser(ada), conversation, ada)
    assert answer.status_code == 422
    assert "The owner cannot leave. Delete the conversation instead." in answer.text
    assert (await remove(await browser(ben), conversation, ada)).status_code == 404
    assert await people_in(conversation) == ["ada", "ben"]


async def test_a_member_cannot_add_or_remove_others(
    browser: Opening, ada: User, ben: User, mallory: User, root: User, conversation: Conversation
) -> None:
    await conversation.participants.acreate(user=root)
    bens = await browser(ben)
    assert (await let_in(bens, conversation, "mallory")).status_code == 404
    assert (await remove(bens, conversation, root)).status_code == 404
    for stranger in (await browser(mallory), await browser(None)):
        for answer in (
            await let_in(stranger, conversation, "mallory"),
            await remove(stranger, conversation, ben),
            await remove(stranger, conversation, mallory),
            await stranger.get(f"/conversations/{conversation.pk}/members/"),
        ):
            assert answer.status_code in (302, 401, 404)
    assert await people_in(conversation) == ["ada", "ben", "root"]
    members = await bens.get(f"/conversations/{conversation.pk}/members/")
    assert "Ada Lovelace" in members.text and not Page(members.text).find("#add-people")


async def test_a_person_who_is_not_a_member_cannot_be_removed(
    browser: Opening, ada: User, mallory: User, conversation: Conversation
) -> None:
    assert (await remove(await browser(ada), conversation, mallory)).status_code == 404


async def test_with_several_authors_the_model_gets_their_names(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Yes.")
    adas, bens = await (await browser(ada)).open(conversation), await (await browser(ben)).open(conversation)
    await ask_and_wait(adas, conversation, "One?")
    assert (prompt_texts(server), server.requests[-1].json.get("system")) == (["One?"], None)
    await ask_and_wait(bens, conversation, "Two?")
    assert prompt_texts(server) == ["Ada Lovelace: One?", "Yes.", "Ben Okri: Two?"]
    assert SEVERAL_PEOPLE in str(server.requests[-1].json["system"])


@pytest.mark.parametrize("name", ["<b>O'Brien</b> & Söhne", "日本 太郎", "🙂", "“quoted”", "{{ user }}", "‮drow"])
async def test_names_are_shown_and_sent_unchanged(
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    name: str,
) -> None:
    await User.objects.filter(pk=ben.pk).aupdate(name=name)
    server.say("Yes.")
    adas, bens = await (await browser(ada)).open(conversation), await (await browser(ben)).open(conversation)
    await ask_and_wait(adas, conversation, "One?")
    reply = await ask_and_wait(bens, conversation, "Two?")
    assert prompt_texts(server)[-1] == f"{name}: Two?"
    await adas.until_over(reply.message_id)
    said = adas.page.messages[-2]
    assert words(adas.page.one(f"#m{said}-name")) == name
    members = Page((await adas.browser.get(f"/conversations/{conversation.pk}/members/")).text)
    assert name in words(members.find(".people-name")[1])
    # The person is removed, and added again under that name.
    await remove(adas.browser, conversation, ben)
    assert (await let_in(adas.browser, conversation, name)).status_code == 200


async def test_a_question_asked_before_leaving_is_answered_and_stays(
    browser: Opening, ada: User, ben: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    adas, bens = await (await browser(ada)).open(conversation), await browser(ben)
    await bens.say(conversation, "Ben's question")
    message = (await last_reply(conversation)).message_id
    await adas.until_text(message, "I could go on")
    await remove(bens, conversation, ben, htmx=False)
    await adas.browser.post(f"/conversations/{conversation.pk}/stop/")
    await adas.until_over(message)
    assert texts(adas.page) == ["Ben's question", "I could go on"]
    assert "Ben Okri" in adas.page.article(adas.page.messages[0])
    assert await Participant.objects.filter(conversation=conversation).acount() == 1
