"""Attaching: hostile files, limits, and what is stored."""

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from PIL import Image

from accounts.models import User
from conversations.inspection import tidy_name
from conversations.models import Attachment, Conversation
from conversations.models.attachment import TEXT, THUMBNAIL
from tests import files
from tests.conversations.asking import Opening
from tests.conversations.attaching import attach, refusals, stored_files, upload

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("nothing.png", b"", "is empty"),
        ("blank.txt", b" \n\t", "only white space"),
        ("program.png", b"MZ\x90\0\x03\0\0\0\x04", "is not supported"),
        ("program", b"\x7fELF\x02\x01\x01\0", "is not supported"),
        ("archive.txt", b"PK\x03\x04\x14\0\0\0\x08\0", "is not supported"),
        ("noise.md", bytes(range(1, 256)), "is not supported"),
        ("head.png", PNG_HEAD + b"<script>alert(1)</script>", "is damaged"),
        ("head.gif", b"GIF89a=1;alert(1)//", "is damaged"),
        ("half.jpg", files.image("JPEG", (400, 400))[:900], "is damaged"),
        ("claim.png", files.png_that_claims(60_000, 60_000), "too many pixels (60,000 × 60,000; limit 50 million)"),
        ("empty.png", files.png_that_claims(100, 100), "is damaged"),
        ("junk.pdf", b"%PDF-1.7\njunk", "is damaged"),
        ("locked.pdf", files.pdf("A secret", password="x"), "protected with a password"),
        ("none.pdf", files.pdf(), "has no pages"),
    ],
)
async def test_an_invalid_file_is_refused_with_its_name(
    browser: Opening, ada: User, conversation: Conversation, settings: Any, name: str, content: bytes, why: str
) -> None:
    answer = await upload(await browser(ada), conversation, (name, content, "image/png"))
    assert answer.status_code == 422
    [refusal] = refusals(answer)
    assert refusal.startswith(f"“{name}” ") and why in refusal
    assert not await Attachment.objects.aexists() and stored_files(settings) == []


@pytest.mark.parametrize(
    ("limit", "content", "why"),
    [
        ({"ATTACHMENT_SIZE": 1000}, files.image("BMP", (100, 100)), "limit 1 kB"),
        ({"ATTACHMENT_SIZE": 1000}, b"a" * 3_000_000, "limit 1 kB"),
        ({"ATTACHMENT_TEXT_SIZE": 1000}, b"a" * 1001, "is too large for a text file (1 kB; limit 1 kB)"),
        ({"ATTACHMENT_PIXELS": 1000}, files.image(size=(100, 11)), "too many pixels (100 × 11;"),
        ({"ATTACHMENT_PAGES": 1}, files.pdf("One", "Two"), "has too many pages (2; limit 1)"),
        ({"ATTACHMENTS_PER_MESSAGE": 0}, b"a", "at most 0 files per message"),
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
    assert stored_files(settings) == []


async def test_a_refused_file_does_not_stop_the_others(browser: Opening, ada: User, conversation: Conversation) -> None:
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
def test_names_have_no_path_no_control_characters_and_a_limit(sent_as: str, kept_as: str) -> None:
    assert tidy_name(sent_as, "text.txt") == kept_as


async def test_a_name_is_escaped(browser: Opening, ada: User, conversation: Conversation) -> None:
    answer = await upload(await browser(ada), conversation, ("<img src=x onerror=alert(1)>.txt", b"A"))
    assert "<img" not in answer.text
    assert "&lt;img src=x onerror=alert(1)&gt;.txt" in answer.text


@pytest.mark.parametrize("name", ["drawing.svg", "page.html", "photo.png", "script.sh"])
async def test_svg_and_html_are_stored_as_text(
    browser: Opening, ada: User, conversation: Conversation, name: str
) -> None:
    adas = await browser(ada)
    file = await attach(adas, conversation, name, SCRIPT.encode())
    assert (file.kind, file.media_type) == ("text", "text/plain")
    answer = await adas.get(f"/attachments/{file.uuid}/")
    assert answer.text == SCRIPT
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment;")
    assert ("txt" in disposition) == (name in ("drawing.svg", "page.html"))


async def test_an_image_is_encoded_again_without_its_other_data(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera of Ada"
    polyglot = files.image("JPEG", (400, 100), exif=exif, comment=b"<script>") + SCRIPT.encode() + files.pdf("Hidden")
    file = await attach(await browser(ada), conversation, "photo.html", polyglot)
    kept = await sync_to_async(file.read_content)()
    assert (file.kind, file.media_type, file.name) == ("image", "image/jpeg", "photo.jpg")
    # The image was rotated.
    assert (file.width, file.height) == files.decode(kept).size == (100, 400)
    for trace in (b"Camera of Ada", b"Exif", b"script", b"%PDF", b"Hidden"):
        assert trace not in kept
        assert trace not in await sync_to_async(file.read_content)(THUMBNAIL)


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
async def test_every_kind_of_image_is_accepted_and_scaled_down(
    browser: Opening, ada: User, conversation: Conversation, form: str, mode: str, media_type: str
) -> None:
    colours = {"RGB": "teal", "RGBA": (0, 90, 90, 90), "CMYK": (1, 2, 3, 4)}
    image = files.encode(Image.new(mode, (3000, 1500), colours.get(mode, 1)), form)
    file = await attach(await browser(ada), conversation, "image", image)
    assert (file.media_type, file.width, file.height) == (media_type, 1568, 784)
    kept = files.decode(await sync_to_async(file.read_content)())
    assert (kept.size, kept.format) == ((1568, 784), media_type.rpartition("/")[2].upper())
    assert max(files.decode(await sync_to_async(file.read_content)(THUMBNAIL)).size) == 640


async def test_only_the_first_image_of_an_animation_is_stored(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    first, second = Image.new("RGB", (50, 50), "red"), Image.new("RGB", (50, 50), "blue")
    content = files.encode(first, "GIF", save_all=True, append_images=[second])
    file = await attach(await browser(ada), conversation, "moving.gif", content)
    kept = files.decode(await sync_to_async(file.read_content)())
    assert getattr(kept, "n_frames", 1) == 1 and kept.getpixel((5, 5)) == (255, 0, 0)
    assert file.name == "moving.png"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
async def test_texts_are_read_in_common_encodings(
    browser: Opening, ada: User, conversation: Conversation, encoding: str
) -> None:
    file = await attach(await browser(ada), conversation, "words.csv", "name;Größe\r\nÅsa;3\r\n".encode(encoding))
    assert (await sync_to_async(file.read_content)()).decode() == "name;Größe\r\nÅsa;3\r\n"


async def test_an_unreadable_page_loses_only_its_text(browser: Opening, ada: User, conversation: Conversation) -> None:
    broken = files.pdf("Words").replace(b"Tj ET", b"\xff\xfe(((")
    file = await attach(await browser(ada), conversation, "a.pdf", broken)
    assert (file.kind, file.pages) == ("pdf", 1)


async def test_a_page_that_unpacks_to_a_gigabyte_loses_only_its_text(
    browser: Opening, ada: User, conversation: Conversation
) -> None:
    file = await attach(await browser(ada), conversation, "bomb.pdf", files.pdf_bomb(1 << 30))
    assert (file.kind, file.pages) == ("pdf", 1)
    assert await sync_to_async(file.read_content)(TEXT) == b""
