"""Two people in one conversation: adding, reading and posting together, removing."""

import asyncio

import pytest_asyncio
from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer


@pytest_asyncio.fixture(loop_scope="session")
async def shared(ada: Person, ben: Person, backstage: Backstage) -> str:
    """Ada's conversation, with Ben as a member."""
    address = backstage.conversation(ada, "Words", ["Hello"], ["Hello to you."])
    backstage.join(address, ben)
    return address


@pytest_asyncio.fixture(loop_scope="session")
async def bens(open_tab: OpenTab, ben: Person) -> Tab:
    """Ben's only tab."""
    return await open_tab(ben)


async def open_both(address: str, *tabs: Tab) -> None:
    for tab in tabs:
        await tab.open(address)
        await tab.await_connection()


async def texts(tab: Tab) -> list[str]:
    return await tab.log.locator(".message-body").all_inner_texts()


async def test_a_new_member_finds_the_conversation_and_its_history(
    tab: Tab, bens: Tab, ada: Person, ben: Person, backstage: Backstage
) -> None:
    await bens.open()
    await bens.await_connection()
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello to you."]))
    await tab.await_connection()
    await tab.page.get_by_role("button", name="Members").click()
    field = tab.dialog.get_by_role("textbox", name="Add people")
    await expect(field).to_be_focused()
    await field.fill(ben.username)
    await tab.dialog.get_by_role("button", name="Add", exact=True).click()
    await expect(tab.dialog.get_by_role("listitem")).to_have_count(2)
    await expect(tab.dialog.get_by_role("button", name="Remove Ben Okri")).to_be_visible()
    await expect(field, "One adds several people one after the other.").to_be_focused()
    await expect(field).to_have_value("")

    await bens.row("Words").get_by_role("link").click()
    await expect(bens.messages).to_have_count(2)
    assert [text.strip() for text in await texts(bens)] == ["Hello", "Hello to you."]
    await expect(bens.messages.first).to_have_accessible_name("Ada Lovelace")


async def test_a_name_that_cannot_be_added_shows_an_error_at_its_field(
    tab: Tab, shared: str, ben: Person, watch: Watch
) -> None:
    watch.expect("status of 422")
    await tab.open(shared)
    await tab.page.get_by_role("button", name="Members").click()
    field = tab.dialog.get_by_role("textbox", name="Add people")
    for name, words in (
        ("Nobody At All", "No user “Nobody At All” found"),
        (ben.username, "already in this conversation"),
    ):
        await field.fill(name)
        await field.press("Enter")
        await expect(tab.dialog.get_by_role("alert")).to_contain_text(words)
        await expect(field).to_have_value(name)
        await expect(field).to_be_focused()


async def test_both_see_every_turn_and_the_answer_as_it_grows(
    tab: Tab, bens: Tab, shared: str, model: ModelServer
) -> None:
    model.hold()
    model.say("Once ", "upon ", "a *time*.")
    await open_both(shared, tab, bens)
    await bens.say("Tell us a story")
    for each in (tab, bens):
        await expect(each.own.last).to_contain_text("Tell us a story")
        await expect(each.own.last).to_have_accessible_name("Ben Okri")
    model.step()
    for each in (tab, bens):
        await expect(each.answer_text).to_have_text("Once")
    model.step()
    for each in (tab, bens):
        await expect(each.answer_text).to_have_text("Once upon")
        await expect(each.stop).to_be_visible()
    model.release()
    for each in (tab, bens):
        await each.await_answer()
        await expect(each.answer_text.locator("em")).to_have_text("time")
    assert await texts(tab) == await texts(bens)


async def test_simultaneous_turns_have_one_order_for_all(tab: Tab, bens: Tab, shared: str, model: ModelServer) -> None:
    model.say("The first answer.")
    model.say("The second answer.")
    await open_both(shared, tab, bens)
    await tab.composer.fill("From Ada")
    await bens.composer.fill("From Ben")
    await asyncio.gather(tab.composer.press("Enter"), bens.composer.press("Enter"))
    for each in (tab, bens):
        await expect(each.messages).to_have_count(6)
        await expect(each.log.locator('article[data-state="complete"]')).to_have_count(6)
    as_read = await texts(tab)
    assert as_read == await texts(bens)
    await bens.page.reload()
    assert as_read == await texts(bens)
    assert {"From Ada", "From Ben"} < {text.strip() for text in as_read}


async def test_the_other_person_sees_a_new_title(tab: Tab, bens: Tab, shared: str) -> None:
    await open_both(shared, tab, bens)
    await tab.title.fill("Other words")
    await tab.title.press("Enter")
    await expect(bens.title).to_have_value("Other words")
    await expect(bens.row("Other words")).to_be_visible()
    await expect(bens.page.get_by_role("heading", level=1)).to_have_text("Other words")
    await expect(bens.page).to_have_title("Other words · chatsite")
    await expect(tab.page).to_have_title("Other words · chatsite")


async def test_a_running_answer_is_marked_in_everybodys_sidebar(
    tab: Tab, bens: Tab, shared: str, model: ModelServer
) -> None:
    model.hold()
    model.say("Slowly.")
    await tab.open(shared)
    await tab.await_connection()
    await bens.open()
    await bens.await_connection()
    await tab.say("Take your time")
    for each in (tab, bens):
        await expect(each.row("Words").get_by_role("img", name="Writing an answer…")).to_be_attached()
    model.release()
    for each in (tab, bens):
        await expect(each.row("Words").get_by_role("img")).to_have_count(0)


async def test_a_removed_member_sees_it_at_once_and_gets_nothing_more(
    tab: Tab, bens: Tab, shared: str, model: ModelServer, watch: Watch, open_tab: OpenTab, ben: Person
) -> None:
    model.say("Between us.")
    await open_both(shared, tab, bens)
    at_home = await open_tab(ben)
    await at_home.open()
    await at_home.await_connection()
    await expect(at_home.row("Words")).to_be_visible()
    await bens.composer.fill("Not sent yet")
    await tab.page.get_by_role("button", name="Members").click()
    await tab.dialog.get_by_role("button", name="Remove Ben Okri").click()
    await expect(tab.dialog.get_by_role("listitem")).to_have_count(1)
    await expect(bens.connection).to_contain_text("you are no longer a member")
    await expect(bens.row("Words")).to_have_count(0)
    await expect(at_home.row("Words")).to_have_count(0)

    await tab.page.keyboard.press("Escape")
    await tab.say("Now that we are alone")
    await tab.await_answer()
    await expect(bens.messages).to_have_count(2)
    await expect(bens.composer).to_have_value("Not sent yet")
    watch.expect("status of 404")
    await bens.composer.press("Enter")
    await expect(bens.errors).to_contain_text("you are no longer a member")
    await expect(bens.composer).to_have_value("Not sent yet")
    await bens.page.reload()
    await expect(bens.page.get_by_role("heading", name="Page not found")).to_be_visible()


async def test_a_member_leaves(tab: Tab, bens: Tab, shared: str, watch: Watch) -> None:
    watch.expect("status of 404")
    await open_both(shared, tab, bens)
    await expect(bens.page.get_by_role("button", name="Members")).to_be_visible()
    await bens.page.get_by_role("button", name="Members").click()
    await expect(bens.dialog.get_by_role("textbox", name="Add people")).to_have_count(0)
    await bens.dialog.get_by_role("button", name="Leave").click()
    await expect(bens.page.get_by_role("heading", name="How can I help, Ben?")).to_be_visible()
    await expect(bens.rows).to_have_count(0)
    await expect(tab.page.locator("#faces .mark")).to_have_count(1)
