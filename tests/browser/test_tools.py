"""An administrator connects a tool server and decides about its tools."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import OpenTab
from tests.tools.drawer import Drawer, running
from tests.tools.mcp_server import KEY


@pytest.fixture
def drawer() -> Iterator[Drawer]:
    with running() as drawer:
        yield drawer


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_an_administrator_connects_and_corrects_a_server_and_allows_its_tools(
    scheme: str, width: int, open_tab: OpenTab, backstage: Backstage, drawer: Drawer
) -> None:
    tab = await open_tab(backstage.administrator(), color_scheme=scheme, viewport={"width": width, "height": 800})
    page = tab.page
    await tab.open("/settings/tools/")
    await page.get_by_role("link", name="Add a server").first.click()
    name = f"Drawer {scheme}"
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Address").fill(drawer.at("/guarded"))
    await page.get_by_label("Header", exact=True).first.fill("X-Key")
    await page.get_by_label("Value", exact=True).first.fill("not the key")
    await page.get_by_role("button", name="Add server").click()
    # The check starts by itself, and its error appears where it can be corrected.
    await expect(page.locator(".notice-error")).to_contain_text(f"{name} denied access. HTTP 401.")
    await page.get_by_role("link", name="Edit").click()
    await expect(page.get_by_label("Value", exact=True).first).to_have_value("")
    await page.get_by_label("Value", exact=True).first.fill(KEY)
    await page.get_by_role("button", name="Save").click()
    allowed = page.get_by_role("switch", name="Allow Echo")
    await expect(allowed).to_have_attribute("aria-checked", "false")
    await allowed.focus()
    await page.keyboard.press("Enter")
    await expect(allowed).to_have_attribute("aria-checked", "true")
    await expect(allowed).to_be_focused()
    await expect(page.locator("#tools-count")).to_contain_text("1 of 15 allowed.")
    asks = page.get_by_role("switch", name="Ask before each call of Echo")
    await asks.click()
    await expect(asks).to_have_attribute("aria-checked", "false")
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await page.get_by_role("button", name="Check").click()
    await expect(page.locator(".check-outcome")).to_contain_text("drawer 2.1")
    await expect(page.get_by_role("switch", name="Allow Echo")).to_have_attribute("aria-checked", "true")
