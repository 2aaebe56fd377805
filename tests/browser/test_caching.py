"""Styles, scripts, fonts and icons are fetched once."""

from collections import Counter

from playwright.async_api import expect

from tests.browser.conftest import OpenTab
from tests.browser.site import ADMINISTRATOR, PASSWORD

FETCHED = """() => performance.getEntriesByType("resource")
    .filter(({ name, transferSize }) => new URL(name).pathname.startsWith("/static/") && transferSize)
    .map(({ name }) => name)"""


async def test_no_page_fetches_a_file_again(open_tab: OpenTab) -> None:
    tab = await open_tab(None)
    await tab.open()
    fetched = Counter(await tab.page.evaluate(FETCHED))
    assert any(name.endswith(".css") for name in fetched), fetched
    assert any(name.endswith(".js") for name in fetched), fetched

    await tab.page.get_by_label("Username").fill(ADMINISTRATOR)
    await tab.page.get_by_label("Password", exact=True).fill(PASSWORD)
    await tab.page.get_by_role("button", name="Sign in").click()
    await expect(tab.composer).to_be_visible()
    fetched += Counter(await tab.page.evaluate(FETCHED))
    for address in ("/deleted/", "/accounts/", "/settings/providers/", "/"):
        await tab.open(address)
        fetched += Counter(await tab.page.evaluate(FETCHED))
    assert [name for name, times in fetched.items() if times > 1] == []
