"""A person creates an API key, copies its secret and revokes the key."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_a_person_creates_copies_and_revokes_a_key(
    scheme: str, width: int, open_tab: OpenTab, ada: Person
) -> None:
    tab = await open_tab(ada, color_scheme=scheme, viewport={"width": width, "height": 800})
    page = tab.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await tab.open("/accounts/")
    await page.get_by_role("main").get_by_role("link", name="API keys").last.click()
    await page.get_by_role("textbox", name="Name").fill("Nightly report")
    await expect(page.get_by_label("Last day")).to_be_hidden()
    await page.get_by_role("radio", name="Selected models").check()
    await page.get_by_role("checkbox", name="Test model · Anthropic").check()
    await page.get_by_role("button", name="Create key").click()
    secret = page.locator("code[data-secret]")
    await expect(secret).to_have_text(re.compile(r"cs-[A-Za-z0-9]{40}"))
    made = await secret.text_content()
    # The control for the next step has the focus.
    copying = page.get_by_role("button", name="Copy", exact=True).first
    await expect(copying).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == made
    await expect(page.locator(".examples")).to_contain_text("# Nightly report")
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await page.reload()
    await expect(page.get_by_role("row", name="Nightly report")).to_contain_text("active")
    await expect(secret).to_have_count(0)
    await page.get_by_role("button", name="Revoke Nightly report").press("Enter")
    # The key press that opened the dialog must not confirm it.
    await expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Revoke Nightly report")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Revoke the key").click()
    await expect(page.get_by_role("status").first).to_have_text("Revoked “Nightly report”.")
    await expect(page.get_by_role("button", name="Revoke Nightly report")).to_have_count(0)


async def test_an_administrator_finds_and_revokes_a_key(open_tab: OpenTab, backstage: Backstage) -> None:
    uma = await open_tab(backstage.person("Uma Abel"))
    await uma.open("/account/keys/")
    await uma.page.get_by_role("textbox", name="Name").fill("Batch of Uma")
    await uma.page.get_by_role("button", name="Create key").click()
    await expect(uma.page.locator("code[data-secret]")).to_be_visible()
    tab = await open_tab(backstage.administrator())
    await tab.open("/settings/keys/")
    await tab.page.get_by_role("searchbox", name="Find a person or key").press_sequentially("Uma Abel")
    row = tab.page.locator("tbody tr")
    await expect(row).to_have_count(1)
    await tab.page.get_by_role("combobox", name="State").select_option("Revoked")
    await expect(tab.page.get_by_text("No keys match.")).to_be_visible()
    await tab.page.get_by_role("combobox", name="State").select_option("Active")
    await expect(row).to_contain_text("Batch of Uma")
    await tab.page.get_by_role("button", name="Revoke Batch of Uma").click()
    await tab.page.get_by_role("button", name="Revoke the key").click()
    await expect(tab.page.get_by_role("status").first).to_have_text("Revoked “Batch of Uma” of Uma Abel.")
    await expect(tab.page.get_by_role("combobox", name="State")).to_have_value("valid")
    await expect(tab.page.get_by_text("No keys match.")).to_be_visible()
