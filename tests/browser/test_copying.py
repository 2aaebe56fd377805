"""Copying a message as Markdown and code as text, with and without the Clipboard API."""

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.site import Site
from tests.browser.watch import Watch

ANSWER = "Some **bold** words:\n\n```python\nprint('x < y')\n```"


@pytest.mark.parametrize("is_secure", [True, False], ids=["over a secure address", "over a plain address"])
async def test_a_message_is_copied_as_markdown_and_code_as_text(
    is_secure: bool, open_tab: OpenTab, ada: Person, backstage: Backstage, site: Site, watch: Watch
) -> None:
    watch.expect("Cross-Origin-Opener-Policy")  # Chromium logs that this header has no effect without TLS.
    permissions = ["clipboard-read", "clipboard-write"] if is_secure else []
    tab = await open_tab(ada, url=site.url if is_secure else site.plain_url, permissions=permissions)
    await tab.open(backstage.conversation(ada, "Words", ["Say it"], [ANSWER]))
    assert await tab.page.evaluate("isSecureContext") is is_secure

    await tab.answer.get_by_role("button", name="Copy", exact=True).last.click()
    await expect(tab.answer.get_by_role("button", name="Copied")).to_be_visible()
    await tab.composer.press("Control+v")
    await expect(tab.composer).to_have_value(ANSWER)

    await tab.composer.fill("")
    await tab.answer.locator(".code").get_by_role("button", name="Copy").click()
    await expect(tab.answer.locator(".code").get_by_role("button", name="Copied")).to_be_visible()
    await tab.composer.press("Control+v")
    await expect(tab.composer).to_have_value("print('x < y')\n")
