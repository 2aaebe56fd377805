"""The keyboard: shortcuts, menus, and dialogs that return the focus."""

import re

from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab

HOME = re.compile(r"//[^/]+/$")


async def test_shortcuts_with_ctrl_work_while_typing(tab: Tab, ada: Person, backstage: Backstage) -> None:
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    keys = tab.page.keyboard
    await expect(tab.composer).to_be_focused()
    await keys.type("n?b")
    await expect(tab.composer, "In a field, letters are letters.").to_have_value("n?b")

    await keys.press("Control+b")
    await expect(tab.sidebar).to_be_hidden()
    backstage.await_unsent(ada, "n?b")
    await tab.page.reload()
    await expect(tab.sidebar, "It is remembered.").to_be_hidden()
    await expect(tab.composer).to_have_value("n?b")
    await keys.press("Control+b")
    await expect(tab.sidebar).to_be_visible()

    await tab.composer.focus()
    await keys.press("Control+/")
    await expect(tab.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await keys.press("Escape")
    await expect(tab.composer).to_be_focused()

    await keys.press("Control+Shift+O")
    await expect(tab.page).to_have_url(HOME)
    await expect(tab.composer).to_be_focused()
    await expect(tab.composer).to_have_value("")


async def test_ctrl_k_finds_a_conversation_while_typing(tab: Tab, ada: Person, backstage: Backstage) -> None:
    here, there, _ = backstage.conversations(ada, ["Here", "Beetroot for two", "Beans"])
    await tab.open(here)
    async with tab.page.expect_response("**/unsent/"):
        await tab.composer.fill("Half a thought")
    keys = tab.page.keyboard
    await keys.press("Control+k")
    finder = tab.page.get_by_role("dialog", name="Find a conversation")
    await expect(finder.get_by_role("textbox")).to_be_focused()
    await expect(finder.get_by_role("link"), "The latest come first.").to_have_text(
        ["Beans", "Beetroot for two", "Here"]
    )
    await keys.type("two be")
    await expect(finder.get_by_role("link")).to_have_text(["Beetroot for two"])
    await keys.press("Enter")
    await expect(tab.page).to_have_url(re.compile(f"{there}$"))
    await tab.open(here)
    await expect(tab.composer).to_have_value("Half a thought")
    await keys.press("Control+k")
    await keys.type("nothing like it")
    await expect(finder).to_contain_text("No title contains")
    await keys.press("Escape")
    await expect(finder).to_be_hidden()
    await expect(tab.composer).to_be_focused()


async def test_single_keys_are_shortcuts_on_pages_without_a_composer(tab: Tab) -> None:
    await tab.open("/accounts/")
    keys = tab.page.keyboard
    await keys.press("b")
    await expect(tab.sidebar).to_be_hidden()
    await keys.press("b")
    await expect(tab.sidebar).to_be_visible()
    await keys.press("n")
    await expect(tab.page).to_have_url(HOME)


async def test_no_single_key_acts_with_unsent_words_in_sight(tab: Tab, ada: Person, backstage: Backstage) -> None:
    keys = tab.page.keyboard
    sheet = tab.page.get_by_role("dialog", name="Keyboard shortcuts")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.composer.fill("Why")
    await tab.page.get_by_role("button", name="Keyboard shortcuts").focus()
    await keys.press("?")
    await expect(tab.composer).to_have_value("Why?")
    await expect(sheet).to_be_hidden()

    await tab.open("/account/keys/")
    name = tab.page.get_by_role("main").get_by_role("textbox").first
    await name.fill("My script")
    await name.blur()
    for key in "bn?":
        await keys.press(key)
    await expect(tab.sidebar).to_be_visible()
    await expect(sheet).to_be_hidden()
    await expect(name).to_have_value("My script")


async def test_a_person_switches_single_keys_off(tab: Tab, ada: Person, open_tab: OpenTab) -> None:
    await tab.open("/accounts/")
    keys = tab.page.keyboard
    await keys.press("?")
    sheet = tab.page.get_by_role("dialog", name="Keyboard shortcuts")
    async with tab.page.expect_response(lambda answer: answer.url.endswith("/accounts/shortcuts/")):
        await sheet.get_by_role("checkbox", name="Use single-key shortcuts").uncheck()
    await keys.press("Escape")
    for key in "b?n":
        await keys.press(key)
    await expect(tab.sidebar).to_be_visible()
    await expect(sheet).to_be_hidden()
    elsewhere = await open_tab(ada)
    await elsewhere.open()
    await elsewhere.page.get_by_role("button", name="Keyboard shortcuts").focus()
    await elsewhere.page.keyboard.press("?")
    await expect(elsewhere.composer, "In every browser of the person.").to_have_value("?")


async def test_the_list_of_shortcuts_opens_and_closes_and_returns_the_focus(tab: Tab) -> None:
    await tab.open()
    button = tab.page.get_by_role("button", name="Keyboard shortcuts")
    await button.focus()
    for close in ("Escape", "button"):
        await tab.page.keyboard.press("?")
        sheet = tab.page.get_by_role("dialog", name="Keyboard shortcuts")
        await expect(sheet).to_be_visible()
        await expect(sheet.get_by_role("button", name="Close")).to_be_focused()
        await tab.page.keyboard.press("Escape" if close == "Escape" else "Enter")
        await expect(sheet).to_be_hidden()
        await expect(button).to_be_focused()


async def test_a_dialog_keeps_the_focus_and_returns_it(tab: Tab, ada: Person, backstage: Backstage) -> None:
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    settings = tab.page.get_by_role("link", name="Conversation settings")
    await settings.focus()
    await settings.press("Enter")
    await expect(tab.dialog.get_by_label("System prompt")).to_be_focused()
    for _ in range(30):
        await tab.page.keyboard.press("Tab")
        where = "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"
        assert await tab.page.evaluate(where)
    await tab.page.keyboard.press("Escape")
    await expect(tab.dialog).to_be_hidden()
    await expect(settings).to_be_focused()


async def test_arrow_keys_move_through_a_menu(tab: Tab, ada: Person, backstage: Backstage) -> None:
    await tab.open(backstage.conversation(ada, "Words", ["Hello"]))
    more = tab.page.get_by_role("button", name="More for Words")
    await more.focus()
    await more.press("Enter")
    menu = tab.row("Words").locator("[popover]")
    await expect(menu.get_by_text("Rename")).to_be_focused()
    await tab.page.keyboard.press("ArrowDown")
    await expect(menu.get_by_role("button", name="Delete")).to_be_focused()
    await tab.page.keyboard.press("ArrowDown")
    await expect(menu.get_by_text("Rename")).to_be_focused()
    await tab.page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await expect(more).to_be_focused()
    await more.press("Enter")
    await menu.get_by_text("Rename").press("Enter")
    await expect(tab.dialog.get_by_label("Title")).to_be_focused()
    await tab.page.keyboard.press("Escape")
    await expect(tab.dialog).to_be_hidden()
    await expect(more).to_be_focused()
