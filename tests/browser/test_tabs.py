"""Several tabs on one conversation, and a tab that loses its connection."""

import re

from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.site import PASSWORD, Site
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer

# Compares blocks, because the template's white space between them is invisible.
MARKUP = 'element => [...element.children].map(block => block.outerHTML.replace(/ data-htmx-[a-z]+="[^"]*"/g, ""))'


async def another(tab: Tab, site: Site) -> Tab:
    """A second tab of the same browser on the same page."""
    second = Tab(await tab.page.context.new_page(), site.url)
    await second.open(tab.page.url.removeprefix(site.url))
    await second.await_connection()
    return second


async def test_two_tabs_of_one_person_see_the_same(tab: Tab, model: ModelServer, site: Site) -> None:
    model.hold()
    model.say("Once upon ", "a *time*.")
    await tab.begin("Tell me a story")
    model.step()
    await expect(tab.answer_text).to_have_text("Once upon")
    late = await another(tab, site)
    await expect(late.answer_text).to_have_text("Once upon")
    model.release()
    for each in (tab, late):
        await each.await_answer()
        await expect(each.answer_text.locator("em")).to_have_text("time")
    await late.say("And then?")
    await expect(tab.messages).to_have_count(4)
    await tab.await_answer()
    await late.await_answer()
    assert await tab.log.inner_text() == await late.log.inner_text()


async def test_a_tab_that_lost_its_connection_says_so_and_catches_up(
    tab: Tab, model: ModelServer, watch: Watch
) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED", "htmx:ws:error")
    pieces = ["One ", "two ", "three ", "four ", "five."]
    model.hold()
    model.say(*pieces)
    await tab.begin("Count")
    model.step(2)
    await expect(tab.answer_text).to_have_text("One two")
    await tab.lose_connection()
    await expect(tab.connection).to_be_visible()
    await expect(tab.connection).to_contain_text("offline")
    model.step(2)
    await tab.page.context.set_offline(False)
    await tab.await_connection()
    await expect(tab.answer_text).to_have_text("One two three four")
    await expect(tab.connection).to_be_hidden()
    await tab.await_answer("running")
    model.release()
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("".join(pieces))


async def test_a_tab_that_missed_the_end_and_another_turn_catches_up(
    tab: Tab, model: ModelServer, site: Site, open_tab: OpenTab, ada: Person, watch: Watch
) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED", "htmx:ws:error")
    model.say("First.")
    model.say("Second.")
    await tab.begin("One")
    await tab.await_answer()
    elsewhere = await open_tab(ada)
    await elsewhere.open(tab.page.url.removeprefix(site.url))
    await elsewhere.await_connection()
    await tab.lose_connection()
    await elsewhere.say("Two")
    await elsewhere.await_answer()
    await expect(tab.messages).to_have_count(2)
    await tab.page.context.set_offline(False)
    await expect(tab.messages).to_have_count(4)
    await expect(tab.answer_text).to_have_text("Second.")
    await tab.await_answer()


async def test_after_a_session_ended_elsewhere_signing_in_again_sends_the_text(
    tab: Tab, site: Site, ada: Person, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    model.say("Welcome back.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    async with tab.page.expect_response("**/unsent/"):
        await tab.composer.fill("Not sent yet")
    second = await another(tab, site)
    await second.sidebar.get_by_role("button", name="Ada Lovelace").click()
    await second.page.get_by_role("button", name="Sign out").click()
    await expect(second.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(tab.connection).to_contain_text("You are signed out")
    await expect(tab.connection.get_by_role("link", name="Sign in")).to_be_visible()
    await expect(tab.composer).to_have_value("Not sent yet")

    watch.expect("status of 401")
    await tab.composer.press("Enter")
    await expect(tab.dialog.get_by_role("heading", name="Sign in again")).to_be_visible()
    await expect(tab.composer).to_have_value("Not sent yet")
    await tab.dialog.get_by_label("Username").fill(ada.username)
    await tab.dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    await tab.dialog.get_by_role("button", name="Sign in").click()
    await expect(tab.own.last).to_contain_text("Not sent yet")
    await expect(tab.answer_text).to_have_text("Welcome back.")
    await expect(tab.own).to_have_count(2)
    await expect(tab.connection).to_be_hidden()


GROWING = (
    "## What @ *costs @*\n\nSome @, **bold @ and @**, @ and `code -@ @` in [the @](https://a.org/x_y), R&D <b> *@*."
    "\n\n- **Item @** one @\n- item two, @ and @\n\nA @:\n\n1. loose @\n\n2. and @ more @\n\n> quoted `@` here @\n\n"
    "| a | b | c |\n|---|--:|---|\n| one @ | **two @** | three @ on @ |\n| 4 | `5 @` | 6 @ |\n| x @ | y | z @ |\n\n"
    "```python\nx = '@'  # @\n```\n\nThe @ end."
)


async def test_an_early_and_a_late_viewer_see_the_same(tab: Tab, model: ModelServer, site: Site) -> None:
    *pieces, end = GROWING.split("@")
    words = [f"word{number}" for number in range(len(pieces))]
    model.hold()
    model.say(*map(str.__add__, pieces, words), end)
    await tab.begin("What does it cost?")
    late = Tab(await tab.page.context.new_page(), site.url)
    for number, word in enumerate(words):
        model.step()
        await expect(tab.answer_text).to_contain_text(re.compile(rf"{word}\b"))
        if number % 3 == 2:
            await late.open(tab.page.url.removeprefix(site.url))
            await late.await_connection()
            await expect(late.answer_text).to_contain_text(word)
            assert await late.answer_text.evaluate(MARKUP) == await tab.answer_text.evaluate(MARKUP)
    model.release()
    await tab.await_answer()
