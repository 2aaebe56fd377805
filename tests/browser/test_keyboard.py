"""The keyboard: shortcuts, menus, and dialogs that return the focus."""

import re

from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.tab import Tab


async def test_shortcuts_lead_to_their_targets(tab: Tab, ada: Person, backstage: Backstage) -> None:
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    keys = tab.page.keyboard
    await keys.press("c")
    await expect(tab.composer).to_be_focused()
    await keys.type("n?b")
    await expect(tab.composer, "In a field, letters are letters.").to_have_value("n?b")
    await tab.composer.fill("")
    await tab.composer.blur()

    await keys.press("b")
    await expect(tab.sidebar).to_be_hidden()
    await tab.page.reload()
    await expect(tab.sidebar, "It is remembered.").to_be_hidden()
    await keys.press("b")
    await expect(tab.sidebar).to_be_visible()

    await keys.press("n")
    await expect(tab.page).to_have_url(re.compile(r"//[^/]+/$"))
    await expect(tab.composer).to_be_focused()


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
