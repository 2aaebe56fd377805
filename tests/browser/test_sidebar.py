"""The sidebar: order, renaming, deleting, undo, older conversations, and the drawer on a phone."""

import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Locator, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import CONVERSATION, Tab
from tests.fakes import ModelServer

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def titles(tab: Tab) -> list[str]:
    return [title.strip() for title in await tab.rows.get_by_role("link").all_inner_texts()]


async def menu_of(tab: Tab, title: str) -> Locator:
    await tab.row(title).hover()
    await tab.row(title).get_by_role("button", name=f"More for {title}").click()
    return tab.row(title).locator("[popover]")


async def test_the_newest_conversation_comes_first(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    addresses = backstage.conversations(ada, ["Old", "Older than new", "New"])
    model.say("Again.")
    await tab.open(addresses[0])
    assert await titles(tab) == ["New", "Older than new", "Old"]
    await expect(tab.row("Old").get_by_role("link")).to_have_attribute("aria-current", "page")
    await tab.await_connection()
    await tab.say("Once more")
    await tab.await_answer()
    await tab.row("New").get_by_role("link").click()
    await expect(tab.title).to_have_value("New")
    assert await titles(tab) == ["Old", "New", "Older than new"]


async def test_renaming_in_a_dialog(tab: Tab, ada: Person, backstage: Backstage) -> None:
    here, _ = backstage.conversations(ada, ["Here", "There"])
    await tab.open(here)
    await tab.await_connection()
    await (await menu_of(tab, "Here")).get_by_text("Rename").click()
    field = tab.dialog.get_by_label("Title")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("Here")
    await field.fill("Not here <i>any</i> more")
    await field.press("Enter")
    await expect(tab.dialog).to_be_hidden()
    await expect(tab.row("Not here <i>any</i> more")).to_be_visible()
    await expect(tab.title).to_have_value("Not here <i>any</i> more")

    await (await menu_of(tab, "There")).get_by_text("Rename").click()
    await tab.dialog.get_by_label("Title").fill("Elsewhere")
    await tab.dialog.get_by_role("button", name="Rename").click()
    await expect(tab.row("Elsewhere")).to_be_visible()


async def test_renaming_in_place(tab: Tab, ada: Person, backstage: Backstage) -> None:
    await tab.open(backstage.conversation(ada, "Before", ["Hello"]))
    await tab.title.fill("After")
    await tab.title.press("Enter")
    await expect(tab.row("After")).to_be_visible()
    await tab.page.reload()
    await expect(tab.title).to_have_value("After")


async def test_deleting_another_conversation_can_be_undone(tab: Tab, ada: Person, backstage: Backstage) -> None:
    here, there = backstage.conversations(ada, ["Here", "There"])
    await tab.open(here)
    await (await menu_of(tab, "There")).get_by_text("Delete").click()
    await expect(tab.rows).to_have_count(1)
    await expect(tab.page.get_by_text("“There” was deleted.")).to_be_visible()
    await expect(tab.page).to_have_url(re.compile(re.escape(here) + "$"))
    await tab.page.get_by_role("button", name="Undo").click()
    await expect(tab.page).to_have_url(re.compile(re.escape(there) + "$"))
    await expect(tab.rows).to_have_count(2)


async def test_deleting_the_open_conversation_leads_home_and_can_be_undone(
    tab: Tab, ada: Person, backstage: Backstage
) -> None:
    here, _ = backstage.conversations(ada, ["Here", "There"])
    await tab.open(here)
    await (await menu_of(tab, "Here")).get_by_text("Delete").click()
    await expect(tab.page.get_by_text("“Here” was deleted.")).to_be_visible()
    await expect(tab.composer).to_have_value("")
    assert await titles(tab) == ["There"]
    await tab.page.get_by_role("button", name="Undo").click()
    await expect(tab.page).to_have_url(re.compile(re.escape(here) + "$"))
    await expect(tab.messages).to_have_count(1)


async def test_older_conversations_load_on_scrolling(tab: Tab, ada: Person, backstage: Backstage) -> None:
    backstage.conversations(ada, [f"Number {number}" for number in range(1, 96)])
    await tab.open()
    await expect(tab.rows).to_have_count(40)
    await tab.rows.last.scroll_into_view_if_needed()
    await expect(tab.rows).to_have_count(80)
    await tab.rows.last.scroll_into_view_if_needed()
    await expect(tab.rows).to_have_count(95)
    assert await titles(tab) == [f"Number {number}" for number in range(95, 0, -1)]
    await expect(tab.sidebar.get_by_text("Show older")).to_have_count(0)


DAYS = "rows => rows.map(row => row.dataset.day ?? '')"


async def test_conversations_are_under_the_days_of_the_reader(
    open_tab: OpenTab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    day = 24 * 60
    ages = {"Now": 0, "Soon": 1, "Last night": 14 * 60, "Week": 5 * day, "Month": 20 * day, "Year": 400 * day}
    addresses = [backstage.conversation(ada, title, [title], minutes_ago=age) for title, age in ages.items()]
    # The clock of the page is at noon, so that a test at midnight sees the same.
    tab = await open_tab(ada, timezone_id=zone_where_it_is_noon())
    await tab.open(addresses[-2])
    await tab.await_connection()
    long_ago = (datetime.now(UTC) - timedelta(days=400)).strftime("%B %Y")
    names = ["Today", "", "Yesterday", "Previous 7 days", "Previous 30 days", long_ago]
    assert await tab.rows.evaluate_all(DAYS) == names
    label = "row => getComputedStyle(row, '::before').content"
    assert await tab.row("Last night").evaluate(label) == '"Yesterday"'

    model.say("Again.")
    await tab.say("Once more")
    await tab.await_answer()
    await tab.page.wait_for_function(
        f"({DAYS})([...document.querySelectorAll('.conversation-row')]).join() ==="
        f" {','.join(['Today', '', '', 'Yesterday', 'Previous 7 days', long_ago])!r}"
    )


async def test_the_server_names_the_days_and_a_reader_in_its_zone_sees_them_stay(
    open_tab: OpenTab, ada: Person, backstage: Backstage
) -> None:
    day = 24 * 60
    # More than one page of conversations, whose last one on the first page is of the same period as the next one.
    ages = [0, 1, 5 * day, *(20 * day + more for more in range(60)), 400 * day, 401 * day]
    for age in ages:
        backstage.conversation(ada, f"From {age}", ["Hello"], minutes_ago=age)
    long_ago = [f"{datetime.now(UTC) - timedelta(days=days):%B %Y}" for days in (400, 401)]
    names = ["Today", "Previous 7 days", "Previous 30 days", *dict.fromkeys(long_ago)]

    plain = await open_tab(ada, java_script_enabled=False)
    await plain.open()
    assert await headings_of(plain) == names[:3]
    await plain.page.get_by_role("link", name="Show older").click()
    assert await headings_of(plain) == names[2:], "The second page is a list of its own."

    tab = await open_tab(ada)
    # Counts changes of headings by scripts.
    await tab.page.add_init_script(WATCH_HEADINGS)
    await tab.open()
    await tab.rows.last.scroll_into_view_if_needed()
    await expect(tab.rows).to_have_count(len(ages))
    assert await headings_of(tab) == names
    assert await tab.page.evaluate("changed") == []


WATCH_HEADINGS = """
    window.changed = [];
    const watch = (changes) => changed.push(...changes.map((change) => change.target.textContent));
    new MutationObserver(watch).observe(document, { subtree: true, attributeFilter: ["data-day"] });
"""


async def headings_of(tab: Tab) -> list[str]:
    """Returns the names of days in the list, from the page's HTML, since a page without scripts runs none."""
    return re.findall('data-day="([^"]+)"', await tab.page.content())


def zone_where_it_is_noon() -> str:
    # "Etc/GMT+5" is five hours behind.
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}"


async def test_on_a_phone_the_conversations_are_a_drawer(open_tab: OpenTab, ada: Person, backstage: Backstage) -> None:
    here, _ = backstage.conversations(ada, ["Here", "There"])
    tab = await open_tab(ada, **PHONE)
    await tab.open(here)
    show = tab.page.get_by_role("button", name="Show conversations")
    await expect(tab.sidebar).to_be_hidden()
    await show.tap()
    await expect(tab.row("There")).to_be_in_viewport()
    await tab.page.keyboard.press("Escape")
    await expect(tab.sidebar).to_be_hidden()
    await expect(show).to_be_focused()
    await show.tap()
    await expect(tab.row("There")).to_be_in_viewport()
    await tab.page.touchscreen.tap(380, 400)
    await expect(tab.sidebar).to_be_hidden()
    await show.tap()
    await tab.row("There").get_by_role("link").tap()
    await expect(tab.title).to_have_value("There")
    await expect(tab.page).to_have_url(CONVERSATION)


async def test_a_deleted_conversation_is_found_and_restored_later(tab: Tab, ada: Person, backstage: Backstage) -> None:
    backstage.conversations(ada, ["Tea", "Coffee"])
    await tab.open()
    await tab.row("Tea").hover()
    await tab.row("Tea").get_by_role("button", name="More for Tea").click()
    await tab.row("Tea").get_by_role("button", name="Delete").click()
    await expect(tab.row("Tea")).to_have_count(0)
    await tab.page.reload()
    await tab.page.get_by_role("button", name=ada.name).click()
    await tab.page.get_by_role("link", name="Recently deleted").click()
    main = tab.page.get_by_role("main")
    await expect(main.get_by_role("listitem")).to_have_count(1)
    await expect(main.get_by_role("listitem")).to_contain_text("Gone for good in 29 days.")
    await main.get_by_role("button", name="Restore").click()
    await expect(tab.row("Tea")).to_be_visible()
    await expect(tab.title).to_have_value("Tea")
