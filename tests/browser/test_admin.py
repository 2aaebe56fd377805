"""The admin under the site's content security policy."""

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import OpenTab


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_admin_pages_work_under_the_policy(scheme: str, open_tab: OpenTab, backstage: Backstage) -> None:
    tab = await open_tab(backstage.administrator(), color_scheme=scheme)
    page = tab.page
    await tab.open("/admin/")
    lists = await page.locator("#content-main th a[href]").evaluate_all("links => links.map(link => link.pathname)")
    assert "/admin/accounts/user/" in lists
    for address in lists:
        await tab.open(address)
        await expect(page.locator("#changelist")).to_be_visible()
    await tab.open("/admin/accounts/user/")
    await page.locator("#result_list").get_by_role("link", name="ruth").click()
    await expect(page.get_by_label("Username")).to_have_value("ruth")
