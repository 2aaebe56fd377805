"""The site's own tools: they find and read what the person who asks may read, and nothing else."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Attachment, Conversation, Generation, Message, Path, Role, State
from conversations.models.message import text_block
from conversations.prompt import builtin_tools
from conversations.prompt.builtin_tools import READ, SEARCH
from conversations.verbs import deleting, turns
from conversations.verbs.writing import add_message
from tests import files
from tests.conversations.answering.tool_wires import calling
from tests.conversations.asking import Opening, last_reply
from tests.conversations.attaching import attach, attach_and_send
from tests.fakes import ModelServer
from tests.tools.reading import text_of
from tools import catalogue
from tools.builtin import BuiltinTool, CallContext
from tools.calls import run_call
from tools.models import Tool
from tools.results import ToolResult
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def context(ada: User, conversation: Conversation) -> CallContext:
    """Ada asks in the conversation that she shares with Ben."""
    return CallContext(ada, conversation.pk)


@pytest.fixture
def elsewhere(ada: User) -> Conversation:
    return turns.begin(ada, title="Kitchen")


def said(conversation: Conversation, text: str, author: User | None = None) -> Message:
    path = Path.through(conversation)
    blocks = [text_block(text)]
    if author:
        return add_message(path.branch, path.find_last_key(), role=Role.USER, author=author, blocks=blocks)
    reply = add_message(path.branch, path.find_last_key(), role=Role.ASSISTANT, blocks=blocks)
    Generation.objects.create(conversation=conversation, message=reply, model_name="Haiku", state=State.COMPLETE)
    return reply


say = sync_to_async(said)


async def answer(tool: BuiltinTool, context: CallContext, **arguments: Any) -> ToolResult:
    """As a model's call gets it, its arguments checked."""
    await sync_to_async(catalogue.sync_builtin_tools)()
    return await run_call(await Tool.objects.aget(name=tool.name), arguments, context)


async def found(context: CallContext, query: str, **arguments: Any) -> str:
    result = await answer(SEARCH, context, query=query, **arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


NOTHING = "No messages found. Try fewer or other words."

# Who may use them


def test_reading_is_allowed_from_the_start_and_searching_waits_for_an_administrator(ada: User) -> None:
    catalogue.sync_builtin_tools()
    assert [tool.name for tool in Tool.objects.usable_by(ada)] == ["read_attached_file"]
    rows = {tool.name: (tool.is_allowed, tool.ask_first) for tool in Tool.objects.filter(server=None)}
    assert rows == {"search_conversations": (False, True), "read_attached_file": (True, False)}


async def test_a_model_reads_what_is_attached(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await sync_to_async(catalogue.sync_builtin_tools)()
    await conversation.tools.aadd(await Tool.objects.aget(name=READ.name))
    server.say("I see.")
    await attach_and_send(browser, ada, conversation, "notes.txt", b"The kettle is blue.")
    server.stream(*calling(server.protocol, ("toolu_1", READ.name, {"name": "notes.txt"})))
    server.say("It is blue.")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Which colour?")
    reply = await last_reply(conversation)
    await tab.until(lambda page: page.has(reply.message_id) and page.state(reply.message_id) == State.COMPLETE)
    [result] = server.requests[-1].json["messages"][-1]["content"]
    assert "The kettle is blue." in result["content"][0]["text"] and "is_error" not in result


# Finding messages


async def test_messages_are_found_newest_first_with_where_they_stand(
    context: CallContext, ben: User, elsewhere: Conversation
) -> None:
    first = await say(elsewhere, "The teapot is on the shelf.", ben)
    second = await say(elsewhere, "A teapot holds **tea**.")
    await say(elsewhere, "A cup, too.")
    hits = (await found(context, "teapot")).split("\n\n")
    assert [hit.split("\n")[2] for hit in hits] == ["A teapot holds **tea**.", "The teapot is on the shelf."]
    heads = [hit.split("\n")[0] for hit in hits]
    assert heads == [
        f"“Kitchen”, Haiku, {second.created_at:%Y-%m-%d %H:%M} UTC",
        f"“Kitchen”, Ben Okri, {first.created_at:%Y-%m-%d %H:%M} UTC",
    ]


async def test_the_address_leads_to_the_message(
    browser: Opening, context: CallContext, ada: User, elsewhere: Conversation
) -> None:
    message = await say(elsewhere, "The teapot is on the shelf.", ada)
    address = (await found(context, "teapot")).split("\n")[1]
    assert address.endswith(f"#m{message.pk}")
    page = await (await browser(ada)).get(address)
    assert page.status_code == 200 and f'id="m{message.pk}"' in page.text


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Der Käse ist GRÜN.", "käse grün"),
        ("Der Käse ist GRÜN.", "KÄSE"),
        ("お茶はいかがですか", "お茶"),
        ('She said "no way", twice', '"no way",'),
        (r"C:\tea\pot", r"\tea\pot"),
        ("100% of_it", "100% of_it"),
        ("line one\nline two", "two one"),
        ("🫖 is a teapot", "🫖"),
        ("l'été", "l'été"),
        ("<b>bold</b> & co", "<b>bold</b> &"),
    ],
)
async def test_words_are_found_however_they_are_kept(
    context: CallContext, ada: User, elsewhere: Conversation, text: str, query: str
) -> None:
    await say(elsewhere, text, ada)
    await say(elsewhere, "Something else.", ada)
    hits = (await found(context, query)).split("\n\n")
    assert [hit.split("\n", 2)[2] for hit in hits] == [" ".join(text.split())]


@pytest.mark.parametrize("query", ["text", "type text", "u00e4", "kaese", "käse blau", "100%it", "k_se"])
async def test_what_nobody_said_is_not_found(
    context: CallContext, ada: User, elsewhere: Conversation, query: str
) -> None:
    await say(elsewhere, "Der Käse ist grün, 100% of it.", ada)
    assert await found(context, query) == NOTHING


async def test_a_long_message_is_told_around_the_word(context: CallContext, ada: User, elsewhere: Conversation) -> None:
    await say(elsewhere, "before " * 1000 + "teapot" + " after" * 1000, ada)
    told = (await found(context, "teapot")).split("\n")[2]
    assert told.startswith("…") and told.endswith("…") and "before teapot after" in told
    assert len(told) <= builtin_tools.EXCERPT + 2


async def test_no_more_are_told_than_asked_for(
    context: CallContext, ada: User, elsewhere: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtin_tools, "AT_ONCE", 2)
    for number in range(7):
        await say(elsewhere, f"Teapot {number}", ada)
    hits = (await found(context, "teapot", limit=3)).split("\n\n")
    assert [hit.split("\n")[2] for hit in hits] == ["Teapot 6", "Teapot 5", "Teapot 4"]
    assert len((await found(context, "teapot")).split("\n\n")) == 7
    refused = await answer(SEARCH, context, query="teapot", limit=21)
    assert refused.failure == "invalid_arguments"


async def test_only_the_newest_messages_are_looked_at(
    context: CallContext, ada: User, elsewhere: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtin_tools, "NEWEST", 2)
    for text in ("An old teapot", "A cup", "A saucer"):
        await say(elsewhere, text, ada)
    assert await found(context, "teapot") == NOTHING
    assert "A cup" in await found(context, "cup")


async def test_what_the_person_may_not_read_is_never_found(
    context: CallContext, ada: User, ben: User, mallory: User, conversation: Conversation, elsewhere: Conversation
) -> None:
    begin = sync_to_async(turns.begin)
    await say(await begin(mallory, title="Mallory's"), "A secret teapot", mallory)
    await say(await begin(ben, title="Ben's own"), "Ben's teapot", ben)
    deleted = await begin(ada, title="Deleted")
    await say(deleted, "A teapot of old", ada)
    await Conversation.objects.filter(pk=deleted.pk).aupdate(deleted_at=deleted.created_at)
    withdrawn = await say(elsewhere, "No teapot after all", ada)
    await sync_to_async(deleting.delete)(withdrawn)
    left = await begin(ben, title="Left")
    await say(left, "A teapot that Ada has left", ben)
    assert await found(context, "teapot") == NOTHING
    # Ada's conversations are not Mallory's, wherever he asks from.
    await say(elsewhere, "Ada's teapot", ada)
    assert await found(CallContext(mallory, conversation.pk), "ada's") == NOTHING
    assert "Ada's teapot" in await found(context, "teapot")
    ada.is_active = False
    assert await found(context, "teapot") == NOTHING


async def test_the_conversation_that_asks_is_not_searched(
    context: CallContext, ada: User, conversation: Conversation
) -> None:
    await say(conversation, "Where did we speak of a teapot?", ada)
    assert await found(context, "teapot") == NOTHING


@pytest.mark.parametrize("query", ["zurich", "ZÜRICH", "東京", "strasse", "“zürich” straße"])
async def test_case_and_accents_make_no_difference(
    query: str, context: CallContext, ada: User, elsewhere: Conversation
) -> None:
    await say(elsewhere, "From “Zürich”, Lange Straße, to 東京", ada)
    assert "“Kitchen”" in await found(context, query)


async def test_a_query_without_words_is_refused(context: CallContext) -> None:
    assert (await answer(SEARCH, context, query="  ")).is_error


# Reading files


async def test_without_a_name_the_files_are_listed(browser: Opening, ada: User, context: CallContext) -> None:
    conversation = await Conversation.objects.aget(pk=context.conversation_pk)
    assert text_of(await answer(READ, context)) == "No text file or PDF is attached in this conversation."
    notes = await attach_and_send(browser, ada, conversation, "notes.txt", b"One")
    paper = await attach_and_send(browser, ada, conversation, "paper.pdf", files.pdf("Two"))
    await attach_and_send(browser, ada, conversation, "pot.png", files.image())
    assert text_of(await answer(READ, context)).split("\n") == [
        "Files, newest first:",
        f"paper.pdf (PDF, id {paper.uuid})",
        f"notes.txt (text, id {notes.uuid})",
    ]
    unknown = await answer(READ, context, name="plans.txt")
    assert unknown.is_error and "No file is named “plans.txt”" in text_of(unknown)
    assert "notes.txt" in text_of(unknown)


async def test_a_file_is_read_by_its_name_or_id(
    browser: Opening, ada: User, ben: User, conversation: Conversation, context: CallContext
) -> None:
    file = await attach_and_send(browser, ada, conversation, "Notes.txt", "Käse & 🫖\nzwei".encode())
    for name in ("Notes.txt", "notes.TXT", str(file.uuid)):
        text = text_of(await answer(READ, context, name=name))
        assert text == "[Notes.txt: lines 1 to 2 of 2, characters 0 to 13 of 13]\nKäse & 🫖\nzwei"
    assert "zwei" in text_of(await answer(READ, CallContext(ben, conversation.pk), name="notes.txt"))


async def test_the_text_of_a_pdf_is_read(
    browser: Opening, ada: User, conversation: Conversation, context: CallContext
) -> None:
    await attach_and_send(browser, ada, conversation, "paper.pdf", files.pdf("A blue kettle"))
    assert "A blue kettle" in text_of(await answer(READ, context, name="paper.pdf"))
    await attach_and_send(browser, ada, conversation, "blank.pdf", files.pdf(""))
    blank = await answer(READ, context, name="blank.pdf")
    assert blank.is_error and "has no readable text" in text_of(blank)


@pytest.mark.parametrize(
    ("part", "head", "text"),
    [
        ({"first_line": 2, "last_line": 3}, "lines 2 to 3 of 5, characters 0 to 11 of 11", "zweiä\ndrei€"),
        ({"first_line": 5}, "lines 5 to 5 of 5, characters 0 to 4 of 4", "fünf"),
        ({"last_line": 1, "offset": 1}, "lines 1 to 1 of 5, characters 1 to 4 of 4", "ins"),
        ({"offset": 5, "length": 5}, "characters 5 to 10 of 26; continue with the same lines and offset 10", "zweiä"),
        ({"first_line": 3, "last_line": 900.0}, "lines 3 to 5 of 5", "drei€\nvier\nfünf"),
    ],
)
async def test_lines_and_characters_can_be_chosen(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    context: CallContext,
    part: dict[str, Any],
    head: str,
    text: str,
) -> None:
    await attach_and_send(browser, ada, conversation, "notes.txt", "eins\nzweiä\ndrei€\nvier\nfünf\n".encode())
    result = await answer(READ, context, name="notes.txt", **part)
    told_head, _, told_text = text_of(result).partition("\n")
    assert head in told_head and told_text == text


@pytest.mark.parametrize("part", [{"first_line": 9}, {"first_line": 3, "last_line": 2}, {"offset": 900}])
async def test_where_nothing_is_that_is_told(
    browser: Opening, ada: User, conversation: Conversation, context: CallContext, part: dict[str, Any]
) -> None:
    await attach_and_send(browser, ada, conversation, "notes.txt", b"one\ntwo\nthree\n")
    assert "nothing" in text_of(await answer(READ, context, name="notes.txt", **part))


async def test_a_long_file_is_read_in_parts(
    browser: Opening, ada: User, conversation: Conversation, context: CallContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = "".join(f"{number:05}\n" for number in range(5_000))
    await attach_and_send(browser, ada, conversation, "long.txt", whole.encode())
    read, offset = "", 0
    while True:
        head, _, text = text_of(await answer(READ, context, name="long.txt", offset=offset)).partition("\n")
        assert 0 < len(text) <= builtin_tools.LONGEST_READ
        read += text
        if "continue" not in head:
            break
        offset = int(head.rpartition(" ")[2].removesuffix("]"))
    assert read == whole.removesuffix("\n")
    for wrong in ({"length": builtin_tools.LONGEST_READ + 1}, {"offset": -1}, {"first_line": 0}, {"path": "/etc"}):
        assert (await answer(READ, context, name="long.txt", **wrong)).failure == "invalid_arguments"


async def test_of_several_files_of_one_name_the_id_tells_which(
    browser: Opening, ada: User, conversation: Conversation, context: CallContext
) -> None:
    first = await attach_and_send(browser, ada, conversation, "notes.txt", b"The first")
    await attach_and_send(browser, ada, conversation, "notes.txt", b"The second")
    which = await answer(READ, context, name="notes.txt")
    assert which.is_error and str(first.uuid) in text_of(which)
    assert "The first" in text_of(await answer(READ, context, name=str(first.uuid)))


async def test_a_file_that_an_edit_has_copied_is_one_file(
    browser: Opening, ada: User, conversation: Conversation, context: CallContext
) -> None:
    file = await attach_and_send(browser, ada, conversation, "notes.txt", b"The only one")
    assert file.message is not None
    message = await Message.objects.select_related("conversation", "branch", "parent").aget(pk=file.message.pk)
    await sync_to_async(turns.edit)(message, ada, "Look again", None)
    assert await Attachment.objects.filter(name="notes.txt").acount() == 2
    assert "The only one" in text_of(await answer(READ, context, name="notes.txt"))


async def test_nothing_but_what_was_sent_here_is_read(
    browser: Opening, ada: User, ben: User, mallory: User, conversation: Conversation, context: CallContext
) -> None:
    elsewhere = await sync_to_async(turns.begin)(ada)
    other = await attach_and_send(browser, ada, elsewhere, "elsewhere.txt", b"Another conversation's")
    draft = await attach(await browser(ada), conversation, "draft.txt", b"Not sent yet")
    withdrawn = await attach_and_send(browser, ada, conversation, "withdrawn.txt", b"Taken back")
    gone = await Message.objects.select_related("conversation", "branch", "parent").aget(pk=withdrawn.message_id)
    await sync_to_async(deleting.delete)(gone)
    here = await attach_and_send(browser, ada, conversation, "here.txt", b"To be read")
    for file in (other, draft, withdrawn):
        for name in (file.name, str(file.uuid)):
            refused = await answer(READ, context, name=name)
            assert refused.is_error and "No file is named" in text_of(refused)
    assert not (await answer(READ, context, name="here.txt")).is_error
    for person in (mallory, ben):
        assert (await answer(READ, CallContext(person, elsewhere.pk), name=other.name)).is_error
    stranger = await answer(READ, CallContext(mallory, conversation.pk), name=str(here.uuid))
    assert stranger.is_error and "here.txt" not in text_of(stranger)
    assert (await answer(READ, CallContext(ada), name="here.txt")).is_error


async def test_a_file_that_is_gone_from_the_disk_is_told(
    browser: Opening, ada: User, conversation: Conversation, context: CallContext, settings: Any
) -> None:
    file = await attach_and_send(browser, ada, conversation, "notes.txt", b"One")
    (settings.MEDIA_ROOT / file.stored).unlink()
    assert "no longer exists" in text_of(await answer(READ, context, name="notes.txt"))
