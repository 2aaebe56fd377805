"""Files: choosing, pasting, dropping, uploading, sending and viewing them."""

import re
from base64 import b64decode

from playwright.async_api import Locator, expect

from tests import files
from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import CONVERSATION, Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer

PASTED = """([content, name, type, kind]) => {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    if (kind === "paste") {
        document.activeElement.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        return;
    }
    const log = document.querySelector("main");
    for (const step of ["dragenter", "dragover", "drop"]) {
        log.dispatchEvent(new DragEvent(step, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
}"""


def a_file(name: str, content: bytes, media_type: str = "application/octet-stream") -> dict[str, object]:
    return {"name": name, "mimeType": media_type, "buffer": content}


async def choose(tab: Tab, *chosen: dict[str, object]) -> None:
    await tab.page.get_by_label("Attach files").set_input_files(list(chosen))  # type: ignore[arg-type]


async def bring(tab: Tab, kind: str, name: str, content: bytes, media_type: str) -> None:
    """Pastes a file or drops it on the page."""
    await tab.composer.focus()
    await tab.page.evaluate(PASTED, [files.to_base64(content), name, media_type, kind])


def drafts(tab: Tab) -> Locator:
    return tab.page.get_by_role("list", name="Attached files").locator(".draft")


def await_uploads(tab: Tab) -> Locator:
    return tab.page.locator(".draft:not([data-uploading])")


def images_of(model: ModelServer) -> list[bytes]:
    """The images in the latest request to the model."""
    said = model.requests[-1].json["messages"][-1]["content"]
    return [b64decode(block["source"]["data"]) for block in said if block["type"] == "image"]


async def test_a_pasted_image_is_answered(tab: Tab, model: ModelServer) -> None:
    model.say("A teal field.")
    await tab.open()
    await bring(tab, "paste", "image.png", files.image(size=(300, 200)), "image/png")
    await expect(await_uploads(tab)).to_contain_text("image.png")
    await tab.composer.fill("What is this?")
    await tab.composer.press("Enter")
    await expect(tab.page).to_have_url(CONVERSATION)
    await expect(tab.answer_text).to_have_text("A teal field.")
    [shown] = images_of(model)
    assert files.decode(shown).size == (300, 200)
    thumbnail = tab.own.get_by_role("img", name="image.png")
    await expect(thumbnail).to_be_visible()
    assert await thumbnail.evaluate("image => image.decode().then(() => image.naturalWidth)") == 300
    await expect(drafts(tab)).to_have_count(0)


async def test_a_refused_file_does_not_stop_the_others(tab: Tab, model: ModelServer, watch: Watch) -> None:
    watch.expect("status of 422")
    model.say("All read.")
    await tab.begin("Hello")
    await choose(
        tab,
        a_file("report.pdf", files.pdf("A page", "Another")),
        a_file("broken.png", b"\x89PNG\r\n\x1a\nnothing"),
        a_file("notes.md", b"# Notes"),
        a_file("program.exe", b"MZ\x90\0\3\0\0\0"),
    )
    await expect(await_uploads(tab)).to_have_count(2)
    await expect(drafts(tab)).to_have_count(2)
    await expect(tab.errors).to_contain_text("“broken.png” is damaged")
    await expect(tab.errors).to_contain_text("“program.exe” is not supported")
    await expect(await_uploads(tab).filter(has_text="report.pdf")).to_contain_text("2 pages")
    await tab.say("Read these")
    await tab.await_answer()
    card = tab.own.last.get_by_role("link", name=re.compile("report.pdf"))
    await expect(card).to_contain_text("PDF · 2 pages")
    async with tab.page.expect_download() as download:
        await card.click()
    assert (await download.value).suggested_filename == "report.pdf"


async def test_an_attached_file_is_there_after_a_reload_and_can_be_removed(tab: Tab, model: ModelServer) -> None:
    await tab.open()
    await bring(tab, "drop", "one.png", files.image(), "image/png")
    await bring(tab, "drop", "two.txt", b"Two", "text/plain")
    await expect(await_uploads(tab)).to_have_count(2)
    await tab.page.reload()
    await expect(await_uploads(tab)).to_have_count(2)
    await tab.page.get_by_role("button", name="Remove one.png").press("Enter")
    await expect(drafts(tab)).to_have_count(1)
    await expect(tab.page.get_by_role("button", name="Remove two.txt")).to_be_focused()
    await tab.page.reload()
    await expect(await_uploads(tab)).to_have_text(re.compile("two.txt"))


async def test_a_file_can_be_sent_without_text(tab: Tab, model: ModelServer) -> None:
    model.say("Seen.")
    await tab.open()
    await bring(tab, "paste", "alone.png", files.image(), "image/png")
    await expect(await_uploads(tab)).to_have_count(1)
    await tab.composer.press("Enter")
    await expect(tab.page).to_have_url(CONVERSATION)
    await expect(tab.title).to_have_value("alone.png")
    await expect(tab.answer_text).to_have_text("Seen.")


async def test_sending_waits_for_uploads(tab: Tab, model: ModelServer) -> None:
    model.say("Seen.")
    await tab.begin("Hello")
    await tab.await_answer()
    held: list[object] = []
    await tab.page.route("**/attachments/", lambda route: held.append(route))
    await bring(tab, "paste", "slow.png", files.image(), "image/png")
    await expect(tab.page.get_by_role("progressbar", name="Uploading slow.png")).to_be_visible()
    await tab.composer.fill("Look")
    await tab.composer.press("Enter")
    await expect(tab.errors).to_contain_text("when the files are uploaded")
    await expect(tab.own).to_have_count(1)
    await held[0].continue_()  # type: ignore[attr-defined]
    await expect(tab.own).to_have_count(2)
    await expect(tab.own.last.get_by_role("img", name="slow.png")).to_be_visible()
    await tab.await_answer()
    assert len(images_of(model)) == 1


async def test_a_failed_upload_can_be_retried(tab: Tab, watch: Watch) -> None:
    watch.expect("ERR_FAILED")
    await tab.open()
    await tab.page.route("**/attachments/", lambda route: route.abort(), times=1)
    await bring(tab, "paste", "one.png", files.image(), "image/png")
    await expect(drafts(tab)).to_contain_text("Not uploaded")
    await tab.page.get_by_role("button", name="Try one.png again").click()
    await expect(await_uploads(tab)).to_have_count(1)


async def test_a_model_that_cannot_read_images_is_reported_before_sending(
    tab: Tab, model: ModelServer, watch: Watch
) -> None:
    watch.expect("status of 422")
    warning = tab.page.locator("#drafts-warning")
    await tab.open()
    await tab.choose_model("Wordy model")
    await expect(warning).to_be_hidden()
    await bring(tab, "paste", "one.png", files.image(), "image/png")
    await expect(warning).to_have_text(re.compile("Wordy model cannot see images"))
    await tab.composer.fill("What is this?")
    await tab.composer.press("Enter")
    await expect(tab.errors).to_contain_text("Wordy model cannot see images")
    assert model.requests == []
    await tab.choose_model("Test model")
    await expect(warning).to_be_hidden()


async def test_images_open_in_full_size_by_keyboard(tab: Tab, model: ModelServer) -> None:
    model.say("Seen.")
    await tab.open()
    for name in ("first.png", "second.png"):
        await bring(tab, "paste", name, files.image(size=(900, 700)), "image/png")
    await expect(await_uploads(tab)).to_have_count(2)
    await tab.composer.press("Enter")
    await expect(tab.page).to_have_url(CONVERSATION)
    await tab.await_connection()
    first = tab.own.get_by_role("link", name="first.png")
    await first.focus()
    await first.press("Enter")
    shown = tab.dialog.get_by_role("img")
    await expect(shown).to_have_attribute("alt", "first.png")
    await expect(shown).to_have_attribute("src", re.compile(r"/attachments/[0-9a-f-]+/$"))
    await tab.page.keyboard.press("ArrowRight")
    await expect(shown).to_have_attribute("alt", "second.png")
    await expect(tab.dialog).to_contain_text("2 of 2")
    await tab.page.keyboard.press("ArrowRight")
    await expect(shown).to_have_attribute("alt", "second.png")
    await tab.page.keyboard.press("ArrowLeft")
    await tab.page.keyboard.press("Escape")
    await expect(tab.dialog).to_be_hidden()
    await expect(first).to_be_focused()


async def test_thumbnails_have_their_size_before_they_load(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("ERR_FAILED")
    model.say("Seen.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await bring(tab, "paste", "wide.png", files.image(size=(1000, 300)), "image/png")
    await expect(await_uploads(tab)).to_have_count(1)
    await tab.say("Look")
    await tab.await_answer()
    with_image = await tab.own.last.bounding_box()
    await tab.page.route("**/thumbnail/", lambda route: route.abort())
    await tab.page.reload()
    await tab.await_answer()
    assert (await tab.own.last.bounding_box() or {})["height"] == (with_image or {})["height"]


async def test_without_scripts_files_are_sent_with_the_form(
    open_tab: OpenTab, ada: Person, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("status of 422")
    model.say("Seen.")
    tab = await open_tab(ada, java_script_enabled=False)
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.composer.fill("Look at this")
    await choose(tab, a_file("good.png", files.image()), a_file("bad.png", b"\x89PNG\r\n\x1a\n"))
    await tab.send.click()
    await expect(tab.errors).to_contain_text("“bad.png” is damaged")
    await expect(tab.composer).to_have_value("Look at this")
    await expect(await_uploads(tab)).to_have_count(1)
    await tab.send.click()
    await expect(tab.own.last.get_by_role("img", name="good.png")).to_be_visible()
    await expect(tab.own.last).to_contain_text("Look at this")
    # While an answer is written, the page loads again by itself.
    await expect(tab.composer).to_be_visible()
    await choose(tab, a_file("other.txt", b"Other"))
    await tab.composer.fill("And this")
    await tab.send.click()
    await expect(tab.own.last).to_contain_text("other.txt")


async def test_the_encoding_of_a_text_is_named_and_changed_by_keyboard(tab: Tab, model: ModelServer) -> None:
    words = "氏名,部署,都市\n山田太郎,開発部,東京\n佐藤花子,来週出張の予定です,大阪\n"
    model.say("Read.")
    await tab.open()
    await choose(tab, a_file("staff.csv", words.encode("cp932")), a_file("notes.md", b"Notes"))
    select = tab.page.get_by_role("combobox", name="Read as (staff.csv)")
    await expect(select).to_have_accessible_description("氏名,部署,都市")
    await expect(select.locator("option:checked")).to_have_text("Japanese (Shift_JIS)")
    await expect(tab.page.get_by_role("button", name="Apply")).to_have_count(0)
    await select.focus()
    await select.press("Home")
    await expect(tab.page.locator(".draft-sample")).to_contain_text("\ufffd")
    await expect(select).to_be_focused()
    await select.select_option(label="Japanese (Shift_JIS)")
    await expect(tab.page.locator(".draft-sample")).to_have_text("氏名,部署,都市")
    await tab.page.reload()
    await expect(select.locator("option:checked")).to_have_text("Japanese (Shift_JIS)")
    await tab.composer.press("Enter")
    await expect(tab.answer_text).to_have_text("Read.")
    said = model.requests[-1].json["messages"][-1]["content"]
    assert words in [block["source"]["data"] for block in said]
    await expect(tab.own).to_contain_text("read as Japanese (Shift_JIS)")
