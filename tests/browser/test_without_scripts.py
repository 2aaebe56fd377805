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
