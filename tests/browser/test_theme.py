"""The theme: light, dark or the system's, chosen in the person's menu and kept in the browser."""

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab


async def choose(tab: Tab, name: str) -> None:
    await tab.page.locator("button.person").click()
    switch = tab.page.get_by_role("group", name="Theme")
    async with tab.page.expect_response("**/accounts/theme/"):
        await switch.get_by_role("button", name=name).click()
    await tab.page.keyboard.press("Escape")


async def shown(tab: Tab) -> str:
    """The scheme in which colours are drawn."""
    return str(await tab.page.evaluate("getComputedStyle(document.documentElement).colorScheme"))


@pytest.mark.parametrize("scripts", [True, False])
async def test_the_theme_is_kept_on_every_page_and_when_signed_out(
    scripts: bool, open_tab: OpenTab, ada: Person
) -> None:
    tab = await open_tab(ada, color_scheme="light", java_script_enabled=scripts)
    await tab.open()
    assert await shown(tab) == "light dark"
    await choose(tab, "Dark")
    await expect(tab.page.locator(":root")).to_have_attribute("data-theme", "dark")
    for path in ("/", "/accounts/", "/deleted/", "/nowhere/"):
        answer = await tab.page.request.get(tab.page.url.split("/", 3)[0] + "//" + tab.page.url.split("/")[2] + path)
        # The server writes it into the page: no other theme flashes up first.
        assert 'data-theme="dark"' in await answer.text()
    await tab.open("/accounts/")
    assert await shown(tab) == "dark"
    await choose(tab, "Light")
    await expect(tab.page.locator(":root")).to_have_attribute("data-theme", "light")
    await tab.page.locator("button.person").click()
    await tab.page.get_by_role("button", name="Sign out").first.click()
    await expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await shown(tab) == "light"


async def test_system_follows_the_system_again(tab: Tab) -> None:
    await tab.open()
    await choose(tab, "Dark")
    await choose(tab, "System")
    await expect(tab.page.locator(":root")).not_to_have_attribute("data-theme", "dark")
    await tab.page.reload()
    assert await shown(tab) == "light dark"
    await tab.page.locator("button.person").click()
    switch = tab.page.get_by_role("group", name="Theme")
    await expect(switch.get_by_role("button", name="System", pressed=True)).to_be_visible()
    await expect(switch.get_by_role("button", pressed=True)).to_have_count(1)


async def test_the_admin_pages_have_the_theme_too(open_tab: OpenTab, backstage: Backstage) -> None:
    tab = await open_tab(backstage.administrator(), color_scheme="light")
    await tab.open()
    await choose(tab, "Dark")
    await tab.open("/admin/")
    assert await shown(tab) == "dark"
