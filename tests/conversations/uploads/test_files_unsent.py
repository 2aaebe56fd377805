"""Files of an unsent message stay until they are sent or removed."""

from typing import Any

import pytest

from accounts.models import User
from conversations.models import Attachment, Conversation, Message
from tests import files
from tests.conversations.asking import Opening
from tests.conversations.attaching import attach, attach_and_send, post_files, send, stored_files
from tests.conversations.talking import read_page
from tests.pages import Page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_an_attached_file_is_there_after_a_reload_until_it_is_sent(
    browser: Opening, ada: User, ben: User, conversation: Conversation, is_begun: bool
) -> None:
    where, adas = conversation if is_begun else None, await browser(ada)
    one = await attach(adas, where, "one.png", files.image())
    two = await attach(adas, where, "two.md", b"Two")
    assert drafts(await read_page(await browser(ada), where)) == ["one.png", "two.md"]
    assert drafts(await read_page(await browser(ben), where)) == []
    assert drafts(await read_page(adas, None if is_begun else conversation)) == []
    address = f"/conversations/{conversation.pk}/turns/" if is_begun else "/turns/"
    answer = await adas.post(address, text="Look", attached=[str(two.uuid), str(one.uuid)])
    assert answer.is_success
    assert drafts(await read_page(adas, where)) == []
    message = await Message.objects.aget(role="user")
    assert [block.get("name") for block in message.blocks] == ["two.md", "one.png", None]
    assert {each.message_id async for each in Attachment.objects.all()} == {message.pk}
    assert {each.conversation_id async for each in Attachment.objects.all()} == {message.conversation_id}


def drafts(page: Page) -> list[str]:
    return [name.text for name in page.find("#drafts .draft-name")]


async def test_only_the_files_in_the_form_are_sent(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    one, two = [await attach(adas, conversation, f"{name}.md", b"Words") for name in ("one", "two")]
    await send(adas, conversation, "Look", one)
    assert drafts(await read_page(adas, conversation)) == ["two.md"]
    assert (await send(adas, conversation, "Again", one)).status_code == 422
    answer = await send(adas, conversation, "", two)
    assert answer.status_code == 201 and f"#attached-{two.uuid}" in answer.text


async def test_nobody_can_send_other_peoples_files(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    bens = await attach(await browser(ben), conversation, "bens.md", b"A secret of Ben's")
    assert (await send(await browser(ada), conversation, "Look", bens)).status_code == 422
    assert not await Message.objects.aexists()


async def test_a_turn_with_files_sent_twice_is_posted_once(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas, key = await browser(ada), "5f0d3a52-4a52-4f39-8a09-0d0d3e4d9a11"
    file = await attach(adas, conversation, "one.md", b"Words")
    for _ in range(2):
        assert (await send(adas, conversation, "", file, key=key)).status_code == 201
    assert await Message.objects.filter(role="user").acount() == 1


async def test_a_message_needs_words_or_a_file(browser: Opening, ada: User, conversation: Conversation) -> None:
    answer = await send(await browser(ada), conversation, " \n")
    assert answer.status_code == 422 and "Write a message first." in answer.text


async def test_a_removed_attachment_is_deleted_with_its_files(
    browser: Opening, ada: User, ben: User, conversation: Conversation, settings: Any
) -> None:
    adas = await browser(ada)
    file = await attach(adas, conversation, "one.png", files.image())
    assert len(stored_files(settings)) == 2
    assert (await (await browser(ben)).post(f"/attachments/{file.uuid}/remove/")).status_code == 404
    assert (await adas.post(f"/attachments/{file.uuid}/remove/")).status_code == 204
    assert stored_files(settings) == [] and not await Attachment.objects.aexists()


async def test_a_sent_file_cannot_be_removed(browser: Opening, ada: User, conversation: Conversation) -> None:
    file = await attach_and_send(browser, ada, conversation, "one.md", b"Words")
    assert (await (await browser(ada)).post(f"/attachments/{file.uuid}/remove/")).status_code == 404


async def test_without_scripts_files_are_posted_with_the_turn(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas, where = await browser(ada), f"/conversations/{conversation.pk}/turns/"
    answer = await post_files(adas, where, [("a.md", b"A"), ("b.png", b"\x89PNG\r\n\x1a\n")], text="Look")
    assert answer.status_code == 422
    page = Page(answer.text)
    assert (drafts(page), page.one("#message").text) == (["a.md"], "Look")
    assert "“b.png” is damaged" in answer.text
    waiting = page.one("#drafts [name=attached]").get("value")
    answer = await post_files(adas, where, [("c.md", b"C")], text="Look", attached=waiting)
    assert answer.status_code == 302
    message = await Message.objects.aget(role="user")
    assert [block.get("name") for block in message.blocks] == ["a.md", "c.md", None]


async def test_without_scripts_removing_a_file_keeps_the_typed_text(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    file = await attach(adas, conversation, "one.md", b"Words")
    answer = await adas.post(f"/attachments/{file.uuid}/remove/", htmx=False, text="Half a", key="")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")
    page = await read_page(adas, conversation)
    assert (drafts(page), page.one("#message").text) == ([], "Half a")


async def test_a_visitor_cannot_upload_files(browser: Opening, settings: Any, db: None) -> None:
    stranger = await browser(None)  # type: ignore[arg-type]
    for where in ("/attachments/", "/accounts/login/"):
        answer = await post_files(stranger, where, [("a.md", b"A" * 100)], username="x", password="y")
        assert answer.status_code in (302, 422)
    assert stored_files(settings) == []
