"""After signing out, the back button shows nothing of what was on the screen."""

import shutil
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests import files
from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import FLAGS
from tests.browser.site import Site


@pytest_asyncio.fixture(loop_scope="session")
async def keeping_browser() -> AsyncIterator[Browser]:
    """A browser that keeps whole pages for the back button, as browsers of people do."""
    found = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
    async with async_playwright() as playwright:
        kept_out = ["--disable-back-forward-cache"]
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS, ignore_default_args=kept_out)
        yield browser
        await browser.close()


async def open_page(browser: Browser, site: Site, person: Person) -> Page:
    context = await browser.new_context(base_url=site.url)
    await context.add_cookies([{"name": "sessionid", "value": person.session, "httpOnly": True, "url": site.url}])
    return await context.new_page()


async def sign_out(page: Page) -> None:
    await page.goto("/accounts/logout/")
    await page.locator("main").get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("Password", exact=True)).to_be_visible()


async def test_the_back_button_shows_no_conversation(
    keeping_browser: Browser, site: Site, ada: Person, backstage: Backstage
) -> None:
    page = await open_page(keeping_browser, site, ada)
    await page.goto(backstage.conversation(ada, "Private matters", ["A secret"], ["Kept."]))
    await expect(page.get_by_text("A secret").first).to_be_visible()
    await page.goto("/account/usage/")
    await sign_out(page)
    for _ in range(3):
        await page.go_back()
        await expect(page.get_by_label("Password", exact=True)).to_be_visible()
        await expect(page.get_by_text("A secret")).to_have_count(0)


async def test_the_back_button_shows_no_file(
    keeping_browser: Browser, site: Site, ada: Person, backstage: Backstage
) -> None:
    page = await open_page(keeping_browser, site, ada)
    await page.goto("/")
    image = {"name": "teal.png", "mimeType": "image/png", "buffer": files.image()}
    await page.get_by_label("Attach files").set_input_files(image)  # type: ignore[arg-type]
    link = page.locator(".draft:not([data-uploading]) img").first
    await expect(link).to_be_visible()
    address = str(await link.get_attribute("src")).removesuffix("thumbnail/")
    await page.goto(address)
    assert await page.locator("img").count() == 1
    await page.goto("/")
    await sign_out(page)
    for _ in range(4):
        await page.go_back()
        await expect(page.get_by_label("Password", exact=True)).to_be_visible()
        assert await page.locator("img[src*=attachments]").count() == 0
