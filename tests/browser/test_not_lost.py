"""Text survives a reload, another device, an expired session, a lost network and a crash."""

import asyncio
import re

from playwright.async_api import Dialog, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.site import PASSWORD, Site
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer
from tests.locks import locked_database

# Where the focused element is in the window. An older message that gets its real height when it is first drawn changes
# scrollTop, and the browser's scroll anchoring keeps what the person sees in place.
PLACE = """() => ({
    top: Math.round(document.activeElement.getBoundingClientRect().top),
    focused: document.activeElement.id || document.activeElement.textContent,
    open: [...document.querySelectorAll("details[open]")].map(it => it.closest(".message").id + it.className),
})"""


async def test_unsent_text_is_there_after_a_reload_and_on_another_device(
    tab: Tab, ada: Person, backstage: Backstage, open_tab: OpenTab, model: ModelServer
) -> None:
    model.say("Now I know.")
    here, there = backstage.conversations(ada, ["Here", "There"])
    elsewhere = await open_tab(ada)
    await tab.open(here)
    async with tab.page.expect_response("**/unsent/"):
        await tab.composer.fill("Half a\nquestion")
    await tab.page.reload()
    await expect(tab.composer).to_have_value("Half a\nquestion")
    await elsewhere.open(here)
    await expect(elsewhere.composer).to_have_value("Half a\nquestion")
    await elsewhere.open(there)
    await expect(elsewhere.composer, "Each conversation has its own.").to_have_value("")

    await tab.await_connection()
    await tab.say("Half a question, whole")
    await tab.await_answer()
    await elsewhere.open(here)
    await expect(elsewhere.composer, "What was sent is not waiting any more.").to_have_value("")


async def test_leaving_at_once_loses_no_text(tab: Tab, ada: Person, backstage: Backstage) -> None:
    here, _ = backstage.conversations(ada, ["Here", "There"])
    await tab.open(here)
    await tab.composer.fill("Typed and gone")
    await tab.row("There").get_by_role("link").click()
    await expect(tab.title).to_have_value("There")
    await asyncio.to_thread(backstage.await_unsent, ada, "Typed and gone")
    await tab.row("Here").get_by_role("link").click()
    await expect(tab.composer).to_have_value("Typed and gone")


async def test_an_expired_session_asks_for_the_password_and_continues(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("status of 401", "status of 422")
    model.say("Welcome back.")
    model.say("Still here.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    backstage.end_sessions(ada)
    await tab.composer.fill("Not sent yet")
    await tab.composer.press("Enter")
    await expect(tab.dialog.get_by_role("heading", name="Sign in again")).to_be_visible()
    await tab.dialog.get_by_label("Username").fill(ada.username)
    password = tab.dialog.get_by_label("Password", exact=True)
    await password.fill("not the password")
    await password.press("Enter")
    await expect(tab.dialog.get_by_role("alert")).to_contain_text("Wrong username or password")
    await expect(tab.dialog.get_by_label("Username")).to_have_value(ada.username)
    await expect(tab.composer).to_have_value("Not sent yet")
    await expect(tab.own).to_have_count(1)

    await password.fill(PASSWORD)
    await password.press("Enter")
    await expect(tab.own.last).to_contain_text("Not sent yet")
    await expect(tab.answer_text).to_have_text("Welcome back.")
    await expect(tab.own).to_have_count(2)
    await expect(tab.composer).to_have_value("")
    await tab.await_answer()
    await tab.await_connection()
    await tab.say("Are you still there?")
    await expect(tab.answer_text).to_have_text("Still here.")
    await expect(tab.own).to_have_count(3)


async def test_typing_in_an_expired_session_opens_no_dialog(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("status of 401")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    backstage.end_sessions(ada)
    async with tab.page.expect_response("**/unsent/") as kept:
        await tab.composer.press_sequentially("Not kept")
    assert (await kept.value).status == 401
    await expect(tab.page.get_by_text("Your text stays here")).to_be_visible()
    await tab.composer.press_sequentially(" yet")
    await expect(tab.composer).to_have_value("Not kept yet")
    await expect(tab.composer).to_be_focused()
    await expect(tab.dialog).to_be_hidden()
    await tab.composer.press("Enter")
    await expect(tab.dialog.get_by_role("heading", name="Sign in again")).to_be_visible()
    await expect(tab.composer).to_have_value("Not kept yet")


async def test_a_page_with_an_old_token_can_still_send(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("status of 403")
    model.say("Here I am.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.page.evaluate("window.isStillThere = true")
    await forget_token(tab)
    await tab.say("Are you there?")
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("Here I am.")
    await expect(tab.errors).to_be_hidden()
    assert await tab.page.evaluate("isStillThere"), "nothing was loaded anew"
    # Requests without a form and uploads are sent again too.
    await forget_token(tab)
    words = {"name": "words.txt", "mimeType": "text/plain", "buffer": b"A file"}
    await tab.page.get_by_label("Attach files").set_input_files(words)  # type: ignore[arg-type]
    await expect(tab.page.locator(".draft:not([data-uploading])")).to_contain_text("words.txt")
    await forget_token(tab)
    await tab.answer.get_by_role("button", name="Retry").click()
    await expect(tab.answer.locator(".versions-place")).to_have_text("2/2")


async def test_an_old_token_does_not_send_as_somebody_else(
    tab: Tab, ada: Person, ben: Person, site: Site, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("status of 403")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await forget_token(tab)
    await tab.page.context.add_cookies([{"name": "sessionid", "value": ben.session, "url": site.url}])
    await tab.composer.fill("A word of Ada's")
    await tab.composer.press("Enter")
    await expect(tab.errors).to_contain_text("A different account is now signed in")
    await expect(tab.composer).to_have_value("A word of Ada's")
    await expect(tab.own).to_have_count(1)
    assert model.requests == []


async def forget_token(tab: Tab) -> None:
    """Deletes the token's cookie, as if the person had signed out and in again in another tab."""
    # A pending response would set the cookie again.
    await tab.page.wait_for_load_state("networkidle")
    await tab.page.context.clear_cookies(name="csrftoken")


async def test_a_lost_network_costs_neither_text_nor_scroll_position(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "htmx:ws:error")
    pieces = [f"Piece {number}. " for number in range(1, 7)]
    model.hold()
    model.say(*pieces, thinking=["Let me ", "see."])
    await tab.open(backstage.conversation(ada, "Words", ["Hello"] * 12, ["Hello to you. " * 60] * 12))
    await tab.await_connection()
    await tab.say("Count")
    model.step(5)
    await expect(tab.answer_text).to_contain_text("Piece 3.")
    thought = tab.answer.get_by_text("Let me see.")
    await tab.answer.locator(".thinking summary").click()
    await expect(thought).to_be_visible()
    older = tab.messages.nth(17).locator("details.meta summary")
    await older.scroll_into_view_if_needed()
    await older.click()
    await expect(tab.messages.nth(17).locator("details[open]")).to_have_count(1)
    await older.focus()
    before = await tab.page.evaluate(PLACE)
    await tab.lose_connection()
    await expect(tab.connection).to_be_visible()
    model.step(1)
    await tab.page.context.set_offline(False)
    await tab.await_connection()
    await expect(tab.answer_text).to_contain_text("Piece 4.")
    await expect(thought).to_be_visible()
    model.release()
    await tab.await_answer()
    await expect(tab.answer_text).to_contain_text("".join(pieces).strip())
    await expect(thought).to_be_visible()
    assert (await tab.answer_text.text_content() or "").count("Piece 3.") == 1
    await expect(tab.messages).to_have_count(26)
    assert await tab.page.evaluate(PLACE) == before
    assert len(before["open"]) == 2


async def test_a_double_click_on_send_posts_one_turn(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Once.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.composer.fill("Only once")
    await tab.send.dblclick()
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("Once.")
    await tab.page.reload()
    await expect(tab.own).to_have_count(2)
    assert len([request for request in model.requests if request.method == "POST"]) == 1


async def test_a_busy_site_gets_the_message_again_and_posts_it_once(
    tab: Tab, ada: Person, site: Site, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("status of 503")
    model.say("Once.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    with locked_database(site.data / "db.sqlite3") as holder:
        await tab.composer.fill("Only once")
        await tab.composer.press("Enter")
        # The site waits for ten seconds before it gives up.
        await expect(tab.errors).to_contain_text("Your message will be sent again in a moment", timeout=30_000)
        await expect(tab.composer).to_have_value("Only once")
        await asyncio.to_thread(holder.release)
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("Once.")
    await expect(tab.errors).to_be_hidden()
    await expect(tab.composer).to_have_value("")
    await tab.page.reload()
    await expect(tab.own).to_have_count(2)
    await expect(tab.composer).to_have_value("")


async def test_after_a_crash_the_page_reconnects_and_the_answer_can_be_continued(
    tab: Tab, site: Site, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "htmx:ws:error", "WebSocket connection")
    model.hold()
    model.say("Half a", " lost end")
    model.say(" thought, whole.")
    await tab.begin("Think")
    model.step()
    await expect(tab.answer_text).to_have_text("Half a")
    async with tab.page.expect_response("**/unsent/"):
        await tab.composer.fill("Typed meanwhile")
    await asyncio.to_thread(backstage.await_saved, tab.page.url, "Half a")
    await asyncio.to_thread(site.crash_and_restart)
    await tab.await_answer("interrupted")
    await expect(tab.answer).to_contain_text("Interrupted.")
    await expect(tab.answer_text).to_have_text("Half a")
    await expect(tab.composer).to_have_value("Typed meanwhile")
    await tab.await_connection()
    await expect(tab.connection).to_be_hidden()
    await expect(tab.answer.get_by_role("button", name="Retry")).to_be_visible()
    model.release()
    await tab.answer.get_by_role("button", name="Continue").click()
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("Half a thought, whole.")
    await expect(tab.messages).to_have_count(2)


async def test_the_browser_asks_before_a_page_is_left_with_a_changed_edit(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Hello again.")
    await tab.open(backstage.conversation(ada, "Here", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.own.last.get_by_role("button", name="Edit", exact=True).click()
    field = tab.page.get_by_role("textbox", name="Edit message")
    await field.fill("Changed my mind")
    async with tab.page.expect_event("dialog") as asked:
        await tab.sidebar.get_by_role("link", name="New conversation").click(no_wait_after=True)
    assert (await asked.value).type == "beforeunload"
    await expect(field).to_have_value("Changed my mind")

    questions: list[Dialog] = []
    tab.page.on("dialog", lambda question: questions.append(question))
    await tab.page.get_by_role("button", name="Save and ask again").click()
    await expect(tab.page).to_have_url(re.compile("branch="))
    await tab.await_answer()
    assert questions == []


async def test_the_browser_asks_before_a_page_is_left_with_a_changed_dialog(
    tab: Tab, ada: Person, backstage: Backstage
) -> None:
    await tab.open(backstage.conversation(ada, "Here", ["Hello"], ["Hello."]))
    await tab.page.locator("[aria-label='Conversation settings']").click()
    field = tab.dialog.get_by_label("System prompt")
    await field.fill("Answer in verse.")
    async with tab.page.expect_event("dialog") as asked:
        await tab.page.evaluate("setTimeout(() => location.assign('/'))")
    assert (await asked.value).type == "beforeunload"
    await expect(field).to_have_value("Answer in verse.")
