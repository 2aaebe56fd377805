"""Without JavaScript, plain forms are enough to sign in, ask, read and change settings."""

import asyncio

from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.site import PASSWORD
from tests.browser.tab import CONVERSATION
from tests.browser.watch import Watch
from tests.fakes import ModelServer


async def test_people_sign_in_ask_and_read(open_tab: OpenTab, ada: Person, model: ModelServer, watch: Watch) -> None:
    model.say("Hello, **Ada**.")
    tab = await open_tab(java_script_enabled=False)
    await tab.open()
    await tab.page.get_by_label("Username").fill(ada.username)
    await tab.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await tab.page.get_by_role("button", name="Sign in").click()
    for question in ("First question", "Second question"):
        await tab.composer.fill(question)
        await tab.send.click()
        await expect(tab.page).to_have_url(CONVERSATION)
        await expect(tab.own.last).to_contain_text(question)
        # Without scripts, only a reload shows new text.
        async with asyncio.timeout(60):
            while await tab.answer_text.inner_text() != "Hello, Ada.":
                await tab.page.reload()
    await expect(tab.messages).to_have_count(4)

    watch.expect("status of 422")
    await tab.composer.fill(" ")
    await tab.send.click()
    await expect(tab.errors).to_contain_text("Write a message first.")


async def test_people_rename_change_settings_and_sign_out(open_tab: OpenTab, ada: Person, backstage: Backstage) -> None:
    tab = await open_tab(ada, java_script_enabled=False)
    await tab.open(backstage.conversation(ada, "Before", ["Hello"]))
    await tab.title.fill("After")
    await tab.title.press("Enter")
    await expect(tab.row("After")).to_be_visible()
    await tab.page.get_by_role("link", name="Conversation settings").click()
    await tab.page.get_by_label("System prompt").fill("Be brief.")
    await tab.page.get_by_role("button", name="Save").click()
    await expect(tab.title).to_have_value("After")
    await tab.page.get_by_role("button", name="Ada Lovelace").click()
    await tab.page.get_by_role("button", name="Sign out").click()
    await expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()


INERT = """() => [...document.querySelectorAll("button, [role=button], a, kbd, input:enabled, select, textarea")]
    .filter(it => it.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .filter(it => ({
        BUTTON: it.type === "submit" ? !it.form : !it.popoverTargetElement,
        A: !it.getAttribute("href"),
        KBD: true,
    })[it.tagName] ?? (it.tagName !== "a" && !it.form))
    .map(it => it.outerHTML)"""


async def test_a_running_answer_shows_more_by_itself_and_can_be_stopped_continued_and_retried(
    open_tab: OpenTab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    tab = await open_tab(ada, java_script_enabled=False)
    page = tab.page
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello.\n\n" * 80]))
    await expect(tab.answer, "The page begins at its end.").to_be_in_viewport()
    model.hold()
    model.say("Half a ", "thought", "\n\nand more" * 60)
    await tab.composer.fill("Think")
    await tab.send.click()
    await expect(tab.own.last).to_be_in_viewport()
    await expect(page.get_by_text("This page loads again every few seconds")).to_be_visible()
    await expect(tab.composer, "Loading again would lose its text.").to_be_hidden()
    model.step(1)
    await expect(tab.answer_text).to_have_text("Half a")
    # Just after it has loaded, the page stays for some seconds.
    await page.wait_for_event("load")
    end = await page.evaluate("scrollY")
    before = await page.evaluate("scrollTo(0, scrollY - 600), scrollY")
    assert before < end - 500
    model.step(1)
    await expect(tab.answer_text).to_have_text("Half a thought")
    await page.wait_for_function(f"Math.abs(scrollY - {before}) < 5")

    await tab.stop.click()
    await tab.await_answer("stopped")
    await expect(tab.answer_text).to_have_text("Half a thought")
    await expect(page.get_by_text("This page loads again")).to_have_count(0)
    model.release()
    model.forget()
    model.say("ful idea")
    await tab.answer.get_by_role("button", name="Continue").click()
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("Half a thoughtful idea")

    model.forget()
    model.say("Another idea")
    await tab.answer.get_by_role("button", name="Retry").click()
    await expect(tab.answer_text).to_have_text("Another idea")
    await expect(tab.answer.get_by_role("group", name="Versions")).to_contain_text("2/2")


async def test_people_edit_and_delete_messages_and_conversations(
    open_tab: OpenTab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    tab = await open_tab(ada, java_script_enabled=False)
    page = tab.page
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    model.say("Better.")
    await tab.own.get_by_role("button", name="Edit").click()
    await page.get_by_role("textbox", name="Edit message").fill("Hello again")
    await page.get_by_role("button", name="Save and ask again").click()
    await expect(tab.own).to_contain_text("Hello again")
    await expect(tab.answer_text).to_have_text("Better.")

    await tab.answer.get_by_role("button", name="More").click()
    await tab.answer.get_by_role("button", name="New conversation from here").click()
    await expect(tab.rows).to_have_count(2)
    await tab.own.get_by_role("button", name="More").click()
    await tab.own.get_by_role("button", name="Delete message").click()
    await expect(tab.own).to_have_count(0)
    await tab.rows.first.get_by_role("button", name="More").click()
    await tab.rows.first.get_by_role("button", name="Delete").click()
    await expect(tab.rows).to_have_count(1)
    await page.get_by_role("button", name="Undo").click()
    await expect(tab.rows).to_have_count(2)


async def test_nothing_is_shown_that_needs_scripts(
    open_tab: OpenTab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    tab = await open_tab(ada, java_script_enabled=False)
    page = tab.page
    talk = backstage.conversation(ada, "Words", ["Hello"], ["```python\nx\n```\n\n- [ ] To do\n\n[A](https://a.test)"])
    backstage.book_calls(ada)
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 800})
        for address in ("/", talk, f"{talk}settings/", f"{talk}members/", f"{talk}title/", "/account/keys/"):
            await tab.open(address)
            assert await page.evaluate(INERT) == []
    await tab.open(talk)
    model.hold()
    model.say("One ", "two")
    await tab.composer.fill("Count")
    await tab.send.click()
    await expect(page.get_by_text("This page loads again")).to_be_visible()
    assert await page.evaluate(INERT) == []
    model.release()
    administrator = await open_tab(backstage.administrator(), java_script_enabled=False)
    providers = ("/settings/providers/", "/settings/providers/add/", "/settings/providers/1/", "/settings/tools/")
    for address in (*providers, "/settings/usage/", "/settings/budgets/add/", "/settings/keys/", "/accounts/"):
        await administrator.open(address)
        assert await administrator.page.evaluate(INERT) == []


async def test_the_rest_of_a_long_list_of_conversations_can_be_read(
    open_tab: OpenTab, ada: Person, backstage: Backstage
) -> None:
    backstage.conversations(ada, [f"Number {number}" for number in range(60)])
    tab = await open_tab(ada, java_script_enabled=False)
    await tab.open()
    await expect(tab.row("Number 0")).to_have_count(0)
    await tab.page.get_by_role("link", name="Show older").click()
    await expect(tab.row("Number 0")).to_be_visible()
