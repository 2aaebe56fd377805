"""Hundreds of messages and conversations can be read from any point, smoothly and with a bounded page."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.fakes import ModelServer

COUNT, PER_DAY = 400, 50
TO_TOP = """() => {
    scroller.scrollTop = 0;
    const first = document.querySelector(".messages > .message");
    return {id: first.id, top: first.getBoundingClientRect().top};
}"""
STAYED = """({id, top}) => Math.abs(document.getElementById(id).getBoundingClientRect().top - top) < 2"""


@pytest.fixture(scope="module")
def reader(backstage: Backstage) -> Person:
    return backstage.person("Rosa Reader")


@pytest.fixture(scope="module")
def long(reader: Person, backstage: Backstage) -> str:
    return backstage.long_conversation(reader, "Much", COUNT, PER_DAY)


@pytest_asyncio.fixture(loop_scope="session")
async def reading(open_tab: OpenTab, reader: Person, long: str) -> Tab:
    tab = await open_tab(reader)
    await tab.open(long)
    await tab.await_connection()
    return tab


def text_of(number: int) -> str:
    return f"Message {number} of {COUNT}."


async def test_scrolling_up_loads_older_messages_without_a_jump(reading: Tab) -> None:
    await expect(reading.messages.last.get_by_text(text_of(COUNT))).to_be_in_viewport()
    for count in (80, 120, 160):
        before = await reading.page.evaluate(TO_TOP)
        await expect(reading.messages).to_have_count(count)
        await reading.page.wait_for_function(STAYED, arg=before)
        await expect(reading.messages.first).to_contain_text(text_of(COUNT - count + 1))
    ids = await reading.messages.evaluate_all("all => all.map(it => it.id)")
    assert len(set(ids)) == 160


async def test_a_full_page_continues_on_another_page(reading: Tab) -> None:
    for count in (80, 120, 160, 200, 240):
        await reading.page.evaluate(TO_TOP)
        await expect(reading.messages).to_have_count(count)
    earlier = reading.log.get_by_role("link", name="Show earlier messages")
    await earlier.click()
    await expect(reading.messages).to_have_count(40)
    await expect(reading.messages.last).to_contain_text(text_of(COUNT - 240))
    await expect(reading.messages.last, "One goes on from where one was.").to_be_in_viewport()
    await reading.page.get_by_role("link", name="Latest messages").click()
    await expect(reading.messages.last).to_contain_text(text_of(COUNT))
    await expect(reading.messages.last).to_be_in_viewport()


async def test_a_reader_jumps_to_the_first_message_and_reads_on(reading: Tab, long: str) -> None:
    await reading.page.get_by_role("button", name="Go to a date").click()
    await reading.page.get_by_role("link", name="Go to the first message").click()
    await expect(reading.page.get_by_text(text_of(1), exact=True)).to_be_in_viewport()
    await expect(reading.messages).to_have_count(40)
    for first in (41, 81):
        await reading.page.get_by_role("link", name="Later messages").click()
        await expect(reading.page.get_by_text(text_of(first), exact=True)).to_be_in_viewport()
    await reading.page.get_by_role("link", name="Latest messages").click()
    await expect(reading.messages.last.get_by_text(text_of(COUNT))).to_be_in_viewport()
    await expect(reading.page.get_by_role("link", name="Latest messages")).to_have_count(0)


async def test_a_reader_jumps_to_a_day(reading: Tab) -> None:
    day = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    await reading.page.get_by_role("button", name="Go to a date").click()
    await reading.page.get_by_label("Go to date").fill(day)
    await reading.page.get_by_role("button", name="Go", exact=True).click()
    await expect(reading.page.get_by_text(text_of(COUNT - 4 * PER_DAY + 1), exact=True)).to_be_in_viewport()


async def test_posting_while_reading_old_messages_leads_to_the_end(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Here at the end.")
    await tab.open(backstage.long_conversation(ada, "Much", 100, 50) + "?from=0")
    await tab.await_connection()
    await expect(tab.messages).to_have_count(40)
    await tab.composer.fill("And now?")
    await tab.composer.press("Enter")
    await expect(tab.own.last).to_contain_text("And now?")
    await expect(tab.answer_text).to_have_text("Here at the end.")
    await expect(tab.answer).to_be_in_viewport()
    await tab.await_answer()


async def test_new_messages_do_not_appear_below_old_ones(
    tab: Tab, ada: Person, ben: Person, backstage: Backstage, open_tab: OpenTab, model: ModelServer
) -> None:
    model.say("Here at the end.")
    address = backstage.long_conversation(ada, "Much", 100, 50)
    backstage.join(address, ben)
    await tab.open(f"{address}?from=0")
    await tab.await_connection()
    bens = await open_tab(ben)
    await bens.open(address)
    await bens.await_connection()
    await bens.say("Anybody here?")
    await bens.await_answer()
    await bens.title.fill("Much and more")
    await bens.title.press("Enter")
    await expect(tab.title).to_have_value("Much and more")
    await expect(tab.messages).to_have_count(40)
    await expect(tab.messages.last).to_contain_text("Message 40 of 100.")


async def test_two_hundred_conversations_load_on_scrolling(tab: Tab, ada: Person, backstage: Backstage) -> None:
    backstage.conversations(ada, [f"Number {number}" for number in range(1, 201)])
    await tab.open()
    for count in (40, 80, 120, 160, 200):
        await expect(tab.rows).to_have_count(count)
        await tab.rows.last.scroll_into_view_if_needed()
    links = await tab.rows.get_by_role("link").all_inner_texts()
    assert [link.strip() for link in links] == [f"Number {number}" for number in range(200, 0, -1)]
