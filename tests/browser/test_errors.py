"""When something fails, the page says by which reference an administrator finds it."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.site import Site
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer

REFERENCE = re.compile(r"Reference: (req_[0-9a-f]{16})")


@contextmanager
def without_messages(site: Site) -> Iterator[None]:
    """Breaks every page and socket of a conversation."""

    def rename(before: str, after: str) -> None:
        with closing(sqlite3.connect(site.data / "db.sqlite3", timeout=20)) as database, database:
            database.execute(f"ALTER TABLE {before} RENAME TO {after}")

    rename("conversations_message", "away")
    try:
        yield
    finally:
        rename("away", "conversations_message")


async def open_conversation(tab: Tab, ada: Person, backstage: Backstage, watch: Watch) -> None:
    watch.expect("status of 500", "ERR_INTERNET_DISCONNECTED", "Failed to fetch", "htmx:ws:error")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello to you."]))
    await tab.await_connection()


async def test_a_message_that_meets_an_error_stays_with_its_reference(
    tab: Tab, ada: Person, backstage: Backstage, site: Site, model: ModelServer, watch: Watch
) -> None:
    await open_conversation(tab, ada, backstage, watch)
    with without_messages(site):
        await tab.composer.fill("Well?")
        await tab.composer.press("Enter")
        await expect(tab.errors).to_contain_text("The message could not be sent. Your text is still here.")
        await expect(tab.errors).to_contain_text(REFERENCE)
        await expect(tab.composer).to_have_value("Well?")
        found = REFERENCE.search(await tab.errors.inner_text())
        assert found and site.await_line(found[1])
    model.say("Well.")
    await tab.say("Well?")
    await tab.await_answer()


async def test_a_page_whose_live_updates_fail_says_so_until_they_work(
    tab: Tab, open_tab: OpenTab, ada: Person, backstage: Backstage, site: Site, model: ModelServer, watch: Watch
) -> None:
    await open_conversation(tab, ada, backstage, watch)
    other = await open_tab(ada)
    await other.open(urlsplit(tab.page.url).path)
    await tab.lose_connection()
    model.say("Well.")
    await other.say("Well?")
    await other.await_answer()
    await other.page.close()
    with without_messages(site):
        await tab.page.context.set_offline(False)
        await expect(tab.connection).to_contain_text("Something went wrong. Reconnecting…")
        await expect(tab.connection).to_contain_text(REFERENCE)
        found = REFERENCE.search(await tab.connection.inner_text())
        assert found and site.await_line(found[1])
    await expect(tab.connection).to_be_hidden()
    await expect(tab.messages).to_have_count(4)


async def test_an_administrator_finds_an_error_and_resolves_it_by_keyboard(
    open_tab: OpenTab, backstage: Backstage
) -> None:
    backstage.forget_errors()
    backstage.log_error("no tea", "req_8c1f0a2e4b6d8f00")
    backstage.log_error("no milk", "req_0000000000000001")
    tab = await open_tab(backstage.administrator())
    page = tab.page
    await tab.open()
    await page.get_by_role("button", name="Ruth").press("Enter")
    await page.get_by_role("link", name="Errors").press("Enter")
    await page.get_by_role("searchbox", name="Reference").fill("req_8c1f0a2e4b6d8f00")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
    await page.get_by_role("link", name="ValueError: no milk").press("Enter")
    await expect(page.get_by_role("group", name="Latest traceback")).to_contain_text("ValueError: no milk")
    await page.get_by_role("button", name="Mark as resolved").press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("Marked as resolved.")
    # Errors of other tests may be there.
    await expect(page.get_by_role("link", name="ValueError: no milk")).to_have_count(0)
    backstage.forget_errors()
