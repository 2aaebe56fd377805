"""Signing in and out."""

from playwright.async_api import expect

from tests.browser.backstage import Person
from tests.browser.conftest import OpenTab
from tests.browser.site import PASSWORD
from tests.browser.tab import Tab
from tests.browser.watch import Watch


async def test_after_signing_in_a_person_reaches_the_requested_page_and_signs_out(
    open_tab: OpenTab, ada: Person
) -> None:
    tab = await open_tab()
    await tab.open("/accounts/password/")
    await expect(tab.page.get_by_label("Username")).to_be_focused()
    await sign_in(tab, ada.username, PASSWORD)
    await expect(tab.page.get_by_role("heading", name="Change password")).to_be_visible()

    await tab.sidebar.get_by_role("button", name="Ada Lovelace").click()
    await tab.page.get_by_role("button", name="Sign out").click()
    await expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await tab.open()
    await expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_wrong_password_shows_an_error_and_keeps_the_username(
    open_tab: OpenTab, ada: Person, watch: Watch
) -> None:
    watch.expect("status of 422")
    tab = await open_tab()
    await tab.open()
    await sign_in(tab, ada.username, "not the password")
    await expect(tab.page.get_by_role("alert")).to_contain_text("Wrong username or password")
    await expect(tab.page.get_by_label("Username")).to_have_value(ada.username)
    await expect(tab.page.get_by_label("Password", exact=True)).to_be_focused()
    await sign_in(tab, ada.username, PASSWORD)
    await expect(tab.composer).to_be_visible()


async def test_a_password_can_be_shown(open_tab: OpenTab, ada: Person) -> None:
    tab = await open_tab()
    await tab.open()
    field = tab.page.get_by_label("Password", exact=True)
    await field.fill("seen")
    await tab.page.get_by_role("button", name="Show password").click()
    await expect(field).to_have_attribute("type", "text")
    await tab.page.get_by_role("button", name="Hide password").click()
    await expect(field).to_have_attribute("type", "password")


async def sign_in(tab: Tab, username: str, password: str) -> None:
    await tab.page.get_by_label("Username").fill(username)
    await tab.page.get_by_label("Password", exact=True).fill(password)
    await tab.page.get_by_role("button", name="Sign in").click()
