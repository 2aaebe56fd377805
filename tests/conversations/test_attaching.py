"""Attaching: hostile files, limits, drafts that last, and where files go when nobody wants them any more."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils.timezone import now
from PIL import Image

from accounts.models import User
from conversations import turns, uploads
from conversations.inspection import tidied
from conversations.models import Attachment, Conversation, Message
from conversations.models.attachment import TEXT, THUMBNAIL
from tests import files
from tests.conversations.asking import Opening, last_reply
from tests.conversations.attaching import attached, keys, posted, refusals, send, sent, stored, upload
from tests.conversations.test_unsent import page_of
from tests.fakes import ModelServer
from tests.pages import Page
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("nothing.png", b"", "is empty"),
        ("blank.txt", b" \n\t", "nothing in it"),
        ("program.png", b"MZ\x90\0\x03\0\0\0\x04", "not a file that can be attached"),
        ("program", b"\x7fELF\x02\x01\x01\0", "not a file that can be attached"),
        ("archive.txt", b"PK\x03\x04\x14\0\0\0\x08\0", "not a file that can be attached"),
        ("noise.md", bytes(range(1, 256)), "not a file that can be attached"),
        ("head.png", PNG_HEAD + b"<script>alert(1)</script>", "is damaged"),
        ("head.gif", b"GIF89a=1;alert(1)//", "is damaged"),
        ("half.jpg", files.image("JPEG", (400, 400))[:900], "is damaged"),
        ("claim.png", files.png_that_claims(60_000, 60_000), "60,000 × 60,000 pixels; at most 50 million"),
        ("empty.png", files.png_that_claims(100, 100), "is damaged"),
        ("junk.pdf", b"%PDF-1.7\njunk", "is damaged"),
        ("locked.pdf", files.pdf("A secret", password="x"), "protected with a password"),
        ("none.pdf", files.pdf(), "has no pages"),
    ],
)
async def test_what_is_no_file_of_ours_is_refused_by_its_name(
    browser: Opening, ada: User, conversation: Conversation, settings: Any, name: str, content: bytes, why: str
) -> None:
    answer = await upload(await browser(ada), conversation, (name, content, "image/png"))
    assert answer.status_code == 422
    [refusal] = refusals(answer)
    assert refusal.startswith(f"“{name}” ") and why in refusal
    assert not await Attachment.objects.aexists() and stored(settings) == []


@pytest.mark.parametrize(
    ("limit", "content", "why"),
    [
        ({"ATTACHMENT_SIZE": 1000}, files.image("BMP", (100, 100)), "at most 1 kB"),
        ({"ATTACHMENT_SIZE": 1000}, b"a" * 3_000_000, "at most 1 kB"),
        ({"ATTACHMENT_TEXT_SIZE": 1000}, b"a" * 1001, "is a text of 1 kB; at most 1 kB"),
        ({"ATTACHMENT_PIXELS": 1000}, files.image(size=(100, 11)), "100 × 11 pixels"),
        ({"ATTACHMENT_PAGES": 1}, files.pdf("One", "Two"), "has 2 pages; at most 1"),
        ({"ATTACHMENTS_PER_MESSAGE": 0}, b"a", "is one too many: a message can have 0 files"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
async def test_a_refusal_names_the_file_and_the_limit(
    browser: Opening, ada: User, settings: Any, limit: dict[str, int], content: bytes, why: str
) -> None:
    for name, value in limit.items():
        setattr(settings, name, value)
    answer = await upload(await browser(ada), None, ("big.png", content))
    [refusal] = refusals(answer)
    assert refusal.startswith("“big.png”") and why in refusal.replace("\N{NO-BREAK SPACE}", " ")
    assert stored(settings) == []


async def test_one_that_is_refused_keeps_no_other_from_coming(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    answer = await upload(await browser(ada), conversation, ("a.md", b"A"), ("b.png", PNG_HEAD), ("c.md", b"C"))
    assert answer.status_code == 201
    assert [each.name async for each in Attachment.objects.all()] == ["a.md", "c.md"]
    [refusal] = refusals(answer)
    assert refusal.startswith("“b.png”")


@pytest.mark.parametrize(
    ("sent_as", "kept_as"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\ada\\notes.txt", "notes.txt"),
        ("\u202egnp.exe.txt", "gnp.exe.txt"),
        ("a\u200b\u2066b\x07.txt", "ab.txt"),
        ("x" * 300 + ".txt", "x" * 95 + "….txt"),
        ("..", "text.txt"),
        ("<b>&.txt", "<b>&.txt"),
    ],
)
def test_names_have_no_path_no_marks_and_an_end(sent_as: str, kept_as: str) -> None:
    assert tidied(sent_as, "text.txt") == kept_as


async def test_a_name_is_shown_as_words(browser: Opening, ada: User, conversation: Conversation) -> None:
    answer = await upload(await browser(ada), conversation, ("<img src=x onerror=alert(1)>.txt", b"A"))
    assert "<img" not in answer.text
    assert "&lt;img src=x onerror=alert(1)&gt;.txt" in answer.text


@pytest.mark.parametrize("name", ["drawing.svg", "page.html", "photo.png", "script.sh"])
async def test_svg_and_html_are_texts_and_nothing_else(
    browser: Opening, ada: User, conversation: Conversation, name: str
) -> None:
    adas = await browser(ada)
    file = await attached(adas, conversation, name, SCRIPT.encode())
    assert (file.kind, file.media_type) == ("text", "text/plain")
    answer = await adas.get(f"/attachments/{file.uuid}/")
    assert answer.text == SCRIPT
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment;")
    assert ("txt" in disposition) == (name in ("drawing.svg", "page.html"))


async def test_an_image_is_drawn_anew_and_what_else_was_in_the_file_is_gone(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera of Ada"
    polyglot = files.image("JPEG", (400, 100), exif=exif, comment=b"<script>") + SCRIPT.encode() + files.pdf("Hidden")
    file = await attached(await browser(ada), conversation, "photo.html", polyglot)
    kept = await sync_to_async(file.content)()
    assert (file.kind, file.media_type, file.name) == ("image", "image/jpeg", "photo.jpg")
    # It stood on its side.
    assert (file.width, file.height) == files.opened(kept).size == (100, 400)
    for trace in (b"Camera of Ada", b"Exif", b"script", b"%PDF", b"Hidden"):
        assert trace not in kept
        assert trace not in await sync_to_async(file.content)(THUMBNAIL)


@pytest.mark.parametrize(
    ("form", "mode", "media_type"),
    [
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("PNG", "1", "image/png"),
        ("PNG", "I;16", "image/png"),
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("WEBP", "RGB", "image/jpeg"),
        ("WEBP", "RGBA", "image/png"),
        ("GIF", "P", "image/png"),
    ],
)
async def test_every_kind_of_image_is_taken_and_shrunk(
    browser: Opening, ada: User, conversation: Conversation, form: str, mode: str, media_type: str
) -> None:
    colours = {"RGB": "teal", "RGBA": (0, 90, 90, 90), "CMYK": (1, 2, 3, 4)}
    image = files.saved(Image.new(mode, (3000, 1500), colours.get(mode, 1)), form)
    file = await attached(await browser(ada), conversation, "image", image)
    assert (file.media_type, file.width, file.height) == (media_type, 1568, 784)
    kept = files.opened(await sync_to_async(file.content)())
    assert (kept.size, kept.format) == ((1568, 784), media_type.rpartition("/")[2].upper())
    assert max(files.opened(await sync_to_async(file.content)(THUMBNAIL)).size) == 640


async def test_of_an_animation_the_first_image_is_kept(browser: Opening, ada: User, conversation: Conversation) -> None:
    first, second = Image.new("RGB", (50, 50), "red"), Image.new("RGB", (50, 50), "blue")
    content = files.saved(first, "GIF", save_all=True, append_images=[second])
    file = await attached(await browser(ada), conversation, "moving.gif", content)
    kept = files.opened(await sync_to_async(file.content)())
    assert getattr(kept, "n_frames", 1) == 1 and kept.getpixel((5, 5)) == (255, 0, 0)
    assert file.name == "moving.png"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_texts_are_read_in_the_usual_encodings(
    browser: Opening, ada: User, conversation: Conversation, encoding: str
) -> None:
    file = await attached(await browser(ada), conversation, "words.csv", "name;Größe\r\nÅsa;3\r\n".encode(encoding))
    assert (await sync_to_async(file.content)()).decode() == "name;Größe\r\nÅsa;3\r\n"


async def test_a_page_that_cannot_be_read_costs_its_text_only(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    broken = files.pdf("Words").replace(b"Tj ET", b"\xff\xfe(((")
    file = await attached(await browser(ada), conversation, "a.pdf", broken)
    assert (file.kind, file.pages) == ("pdf", 1)


async def test_a_page_that_unpacks_to_a_gigabyte_costs_its_text_only(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    file = await attached(await browser(ada), conversation, "bomb.pdf", files.pdf_bomb(1 << 30))
    assert (file.kind, file.pages) == ("pdf", 1)
    assert await sync_to_async(file.content)(TEXT) == b""


# ---------------------------------------------------------------- drafts


@pytest.mark.parametrize("is_begun", [True, False], ids=["in a conversation", "on the first page"])
async def test_what_is_attached_is_there_again_until_it_is_sent(
    browser: Opening, ada: User, ben: User, conversation: Conversation, is_begun: bool
) -> None:
    where, adas = conversation if is_begun else None, await browser(ada)
    one = await attached(adas, where, "one.png", files.image())
    two = await attached(adas, where, "two.md", b"Two")
    assert drafts(await page_of(await browser(ada), where)) == ["one.png", "two.md"]
    assert drafts(await page_of(await browser(ben), where)) == []
    assert drafts(await page_of(adas, None if is_begun else conversation)) == []
    address = f"/conversations/{conversation.pk}/turns/" if is_begun else "/turns/"
    answer = await adas.post(address, text="Look", attached=[str(two.uuid), str(one.uuid)])
    assert answer.is_success
    assert drafts(await page_of(adas, where)) == []
    message = await Message.objects.aget(role="user")
    assert [block.get("name") for block in message.blocks] == ["two.md", "one.png", None]
    assert {each.message_id async for each in Attachment.objects.all()} == {message.pk}
    assert {each.conversation_id async for each in Attachment.objects.all()} == {message.conversation_id}


def drafts(page: Page) -> list[str]:
    return [name.text for name in page.find("#drafts .draft-name")]


async def test_only_what_the_page_names_is_sent(browser: Opening, ada: User, conversation: Conversation) -> None:
    adas = await browser(ada)
    one, two = [await attached(adas, conversation, f"{name}.md", b"Words") for name in ("one", "two")]
    await send(adas, conversation, "Look", one)
    assert drafts(await page_of(adas, conversation)) == ["two.md"]
    assert (await send(adas, conversation, "Again", one)).status_code == 422
    answer = await send(adas, conversation, "", two)
    assert answer.status_code == 201 and f"#attached-{two.uuid}" in answer.text


async def test_nobody_sends_the_files_of_others(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    bens = await attached(await browser(ben), conversation, "bens.md", b"A secret of Ben's")
    assert (await send(await browser(ada), conversation, "Look", bens)).status_code == 422
    assert not await Message.objects.aexists()


async def test_a_turn_with_files_sent_twice_is_posted_once(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas, key = await browser(ada), "5f0d3a52-4a52-4f39-8a09-0d0d3e4d9a11"
    file = await attached(adas, conversation, "one.md", b"Words")
    for _ in range(2):
        assert (await send(adas, conversation, "", file, key=key)).status_code == 201
    assert await Message.objects.filter(role="user").acount() == 1


async def test_a_message_needs_words_or_a_file(browser: Opening, ada: User, conversation: Conversation) -> None:
    answer = await send(await browser(ada), conversation, " \n")
    assert answer.status_code == 422 and "Write a message first." in answer.text


async def test_what_was_taken_back_is_deleted_with_its_files(
    browser: Opening, ada: User, ben: User, conversation: Conversation, settings: Any
) -> None:
    adas = await browser(ada)
    file = await attached(adas, conversation, "one.png", files.image())
    assert len(stored(settings)) == 2
    assert (await (await browser(ben)).post(f"/attachments/{file.uuid}/remove/")).status_code == 404
    assert (await adas.post(f"/attachments/{file.uuid}/remove/")).status_code == 204
    assert stored(settings) == [] and not await Attachment.objects.aexists()


async def test_what_was_sent_is_not_taken_back(browser: Opening, ada: User, conversation: Conversation) -> None:
    file = await sent(browser, ada, conversation, "one.md", b"Words")
    assert (await (await browser(ada)).post(f"/attachments/{file.uuid}/remove/")).status_code == 404


async def test_without_scripts_the_files_come_with_the_turn(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas, where = await browser(ada), f"/conversations/{conversation.pk}/turns/"
    answer = await posted(adas, where, [("a.md", b"A"), ("b.png", PNG_HEAD)], text="Look")
    assert answer.status_code == 422
    page = Page(answer.text)
    assert (drafts(page), page.one("#message").text) == (["a.md"], "Look")
    assert "“b.png” is damaged" in answer.text
    waiting = page.one("#drafts [name=attached]").get("value")
    answer = await posted(adas, where, [("c.md", b"C")], text="Look", attached=waiting)
    assert answer.status_code == 302
    message = await Message.objects.aget(role="user")
    assert [block.get("name") for block in message.blocks] == ["a.md", "c.md", None]


async def test_without_scripts_taking_back_keeps_what_is_typed(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    file = await attached(adas, conversation, "one.md", b"Words")
    answer = await adas.post(f"/attachments/{file.uuid}/remove/", htmx=False, text="Half a", key="")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/conversations/{conversation.pk}/")
    page = await page_of(adas, conversation)
    assert (drafts(page), page.one("#message").text) == ([], "Half a")


async def test_nobody_signed_out_sends_files_anywhere(browser: Opening, settings: Any, db: None) -> None:
    stranger = await browser(None)  # type: ignore[arg-type]
    for where in ("/attachments/", "/accounts/login/"):
        answer = await posted(stranger, where, [("a.md", b"A" * 100)], username="x", password="y")
        assert answer.status_code in (302, 422)
    assert stored(settings) == []


# ---------------------------------------------------------------- who may see them


async def test_files_are_for_those_who_see_the_conversation(
    browser: Opening, ada: User, ben: User, mallory: User, root: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    draft = await attached(adas, conversation, "draft.png", files.image())
    first_page = await attached(adas, None, "first.png", files.image())
    shown = await sent(browser, ada, conversation, "sent.png", files.image())
    for person, seen in ((ada, {draft, first_page, shown}), (ben, {shown}), (mallory, set()), (root, set())):
        who = await browser(person)
        for file in (draft, first_page, shown):
            for part in ("", "thumbnail/"):
                answer = await who.get(f"/attachments/{file.uuid}/{part}")
                assert answer.status_code == (200 if file in seen else 404), (person, file, part)
    assert (await (await browser(None)).get(f"/attachments/{shown.uuid}/")).status_code == 302  # type: ignore[arg-type]


async def test_who_leaves_sees_them_no_more_and_a_browser_asks_each_time(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    file = await sent(browser, ada, conversation, "sent.png", files.image())
    bens = await browser(ben)
    answer = await bens.get(f"/attachments/{file.uuid}/")
    assert answer.headers["cache-control"] == "private, no-cache"
    known = {"if-none-match": answer.headers["etag"]}
    assert (await bens.get(f"/attachments/{file.uuid}/", **known)).status_code == 304
    await conversation.participants.filter(user=ben).adelete()
    assert (await bens.get(f"/attachments/{file.uuid}/", **known)).status_code == 404


async def test_files_are_given_out_so_that_a_browser_does_nothing_with_them(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    adas = await browser(ada)
    for name, content, how, media_type in (
        ("Grüße.pdf", files.pdf("Words"), "attachment", "application/pdf"),
        ("a.md", b"# Words", "attachment", "text/plain; charset=utf-8"),
        ("a.png", files.image(), "inline", "image/png"),
    ):
        file = await attached(adas, conversation, name, content)
        headers = (await adas.get(f"/attachments/{file.uuid}/")).headers
        assert headers["content-disposition"].startswith(f"{how};")
        assert headers["content-type"] == media_type
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_with_a_deleted_message_its_files_are_out_of_reach_at_once(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    file = await sent(browser, ada, conversation, "sent.png", files.image())
    adas = await browser(ada)
    await adas.post(f"/conversations/{conversation.pk}/messages/{file.message_id}/delete/")
    assert (await adas.get(f"/attachments/{file.uuid}/")).status_code == 404
    await adas.post(f"/conversations/{conversation.pk}/messages/{file.message_id}/restore/")
    assert (await adas.get(f"/attachments/{file.uuid}/")).status_code == 200
    await adas.post(f"/conversations/{conversation.pk}/delete/")
    assert (await adas.get(f"/attachments/{file.uuid}/thumbnail/")).status_code == 404


# ---------------------------------------------------------------- what becomes of them


def aged(settings: Any, hours: int = 2) -> None:
    """As if the files had been there for a while."""
    then = (now() - timedelta(hours=hours)).timestamp()
    for path in stored(settings):
        os.utime(path, (then, then))


async def test_what_was_never_sent_is_swept_away(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    adas = await browser(ada)
    old, young = [await attached(adas, conversation, f"{name}.md", b"Words") for name in ("old", "young")]
    gone = await sent(browser, ada, conversation, "sent.md", b"Words")
    week = now() - timedelta(days=settings.ATTACHMENT_DRAFT_DAYS, minutes=1)
    await Attachment.objects.exclude(pk=young.pk).aupdate(created_at=week)
    aged(settings)
    await sync_to_async(uploads.sweep)()
    assert {each.pk async for each in Attachment.objects.all()} == {young.pk, gone.pk}
    assert {path.name for path in stored(settings)} == {Path(each.stored).name for each in (young, gone)}
    assert old.stored not in {str(path) for path in stored(settings)}


async def test_files_whose_conversation_is_deleted_for_good_go_with_it(
    browser: Opening, ada: User, conversation: Conversation, settings: Any
) -> None:
    await sent(browser, ada, conversation, "sent.png", files.image())
    other = await sync_to_async(turns.begin)(ada)
    kept = await sent(browser, ada, other, "kept.md", b"Words")
    await conversation.adelete()
    # Files just written may be about to get their row.
    assert await sync_to_async(uploads.sweep)() == 0
    aged(settings)
    assert await sync_to_async(uploads.sweep)() == 2
    assert [path.name for path in stored(settings)] == [Path(kept.stored).name]


async def test_an_edit_says_it_differently_with_the_same_files(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel, settings: Any
) -> None:
    server.say("Seen.")
    tab = await (await browser(ada)).open(conversation)
    file = await sent(browser, ada, conversation, "one.png", files.image(), "What is this?")
    await tab.until_over((await last_reply(conversation)).message_id)
    before = server.requests[-1].json["messages"][0]["content"]
    await tab.browser.post(
        f"/conversations/{conversation.pk}/messages/{file.message_id}/edits/", text="What colour is this?"
    )
    reply = await last_reply(conversation)
    new = await (await browser(ada)).open(conversation)
    await new.until_over(reply.message_id)
    after = server.requests[-1].json["messages"][0]["content"]
    assert after == [before[0], {"type": "text", "text": "What colour is this?"}]
    copy = await Attachment.objects.exclude(pk=file.pk).aget()
    assert (copy.stored, copy.message_id) == (file.stored, new.page.messages[0])
    # The file is there as long as one of them is.
    await sync_to_async(uploads.remove)([file])
    assert len(stored(settings)) == 2
    await sync_to_async(uploads.remove)([copy])
    assert stored(settings) == []


async def test_a_fork_has_the_files_and_is_ones_own(
    browser: Opening, ada: User, ben: User, conversation: Conversation
) -> None:
    file = await sent(browser, ada, conversation, "one.png", files.image())
    bens = await browser(ben)
    answer = await bens.post(f"/conversations/{conversation.pk}/messages/{file.message_id}/forks/")
    fork = await Conversation.objects.alatest("pk")
    assert answer.headers["hx-redirect"] == f"/conversations/{fork.pk}/"
    copy = await Attachment.objects.aget(conversation=fork)
    await conversation.participants.filter(user=ben).adelete()
    assert (await bens.get(f"/attachments/{copy.uuid}/")).status_code == 200
    assert (await bens.get(f"/attachments/{file.uuid}/")).status_code == 404
    assert (await (await browser(ada)).get(f"/attachments/{copy.uuid}/")).status_code == 404
    assert str(copy.uuid) in (await bens.get(f"/conversations/{fork.pk}/")).text


async def test_many_at_once_are_counted(browser: Opening, ada: User, settings: Any) -> None:
    settings.ATTACHMENTS_PER_MESSAGE = 3
    answer = await upload(await browser(ada), None, *[(f"{number}.md", b"A") for number in range(5)])
    assert len(keys(answer)) == 3
    assert refusals(answer)[-1] == "“4.md” is one too many: a message can have 3 files."
