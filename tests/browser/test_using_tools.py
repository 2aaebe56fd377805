"""Tools in a conversation: choosing them, approving calls by keyboard, and reading their results."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Locator, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.conversations.answering.tool_wires import calling
from tests.fakes import ModelServer
from tests.tools.drawer import Drawer, running


@pytest.fixture(scope="module")
def drawer_process() -> Iterator[Drawer]:
    with running() as drawer:
        yield drawer


@pytest.fixture
def drawer(drawer_process: Drawer, backstage: Backstage) -> Iterator[Drawer]:
    """The tool server. Its echo needs approval, its picture does not."""
    says = {"title": "Echo", "description": "Says it again."}
    backstage.tool(drawer_process.url, "echo", ask_first=True, **says)
    backstage.tool(drawer_process.url, "picture", ask_first=False, title="Picture")
    yield drawer_process
    backstage.delete_tools()


@pytest.fixture
def conversation(ada: Person, ben: Person, backstage: Backstage) -> str:
    address = backstage.conversation(ada, "Tea", ["Hello"], ["Hello."])
    backstage.join(address, ben)
    return address


def cards(tab: Tab) -> Locator:
    return tab.answer.locator(".tool-call")


async def choose_echo_by_keyboard(tab: Tab) -> None:
    """Opens the tools, moves from the built-in ones to the drawer's, and saves. The focus returns to the button."""
    page = tab.page
    button = page.get_by_role("button", name="Tools: none selected")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(tab.dialog.get_by_role("group", name="Built-in").get_by_role("checkbox")).to_be_focused()
    echo = tab.dialog.get_by_role("group", name="Drawer").get_by_role("checkbox", name="Echo asks first")
    await page.keyboard.press("Tab")
    await expect(echo).to_be_focused()
    await expect(echo).to_be_in_viewport()
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await expect(tab.dialog).to_be_hidden()
    await expect(page.get_by_role("button", name="Tools: 1 selected")).to_be_focused()


async def test_a_person_chooses_and_approves_a_tool_and_reads_its_result_by_keyboard(
    tab: Tab,
    ben: Person,
    open_tab: OpenTab,
    conversation: str,
    drawer: Drawer,
    model: ModelServer,
) -> None:
    model.stream(*calling(model.protocol, ("toolu_1", "drawer__echo", {"text": "a kettle"}), text="Let me see."))
    model.say("It said so.")
    page, bens = tab.page, await open_tab(ben)
    for each in (tab, bens):
        await each.open(conversation)
        await each.await_connection()
    await choose_echo_by_keyboard(tab)

    await tab.say("What does it say?")
    await expect(cards(tab)).to_have_attribute("data-progress", "waiting")
    await expect(cards(tab)).to_contain_text("a kettle")
    await expect(page.locator("#tools-asking")).to_have_text("echo: your permission is needed.")
    await expect(cards(bens)).to_have_attribute("data-progress", "waiting")
    await expect(cards(bens)).to_contain_text("Waiting for Ada Lovelace to allow this.")
    assert await cards(bens).get_by_role("button").count() == 0
    await expect(bens.page.locator("#tools-asking")).to_be_empty()

    for name in ("Refuse", "Allow for this conversation", "Allow once"):
        while not await cards(tab).get_by_role("button", name=name).evaluate("it => it === document.activeElement"):
            await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(cards(tab)).to_have_attribute("data-progress", "done")
    await tab.await_answer()
    await expect(tab.answer_text).to_contain_text("It said so.")
    await expect(page.locator("#tools-asking")).to_be_empty()

    # The question is gone, and the focus is on the result.
    await expect(cards(tab).locator("summary")).to_be_focused()
    await expect(cards(tab).get_by_label("Result")).to_be_hidden()
    await page.keyboard.press("Enter")
    await expect(cards(tab).get_by_label("Result")).to_have_text("a kettle")
    await expect(cards(bens)).to_have_attribute("data-progress", "done")
    await expect(bens.answer).to_have_attribute("data-state", "complete")


async def test_answering_one_question_leads_to_the_next(
    tab: Tab, conversation: str, drawer: Drawer, backstage: Backstage, model: ModelServer
) -> None:
    backstage.choose_tools(conversation, "echo", "picture")
    calls = [(f"toolu_{number}", "drawer__echo", {"text": f"number {number}"}) for number in (1, 2)]
    model.stream(*calling(model.protocol, *calls, ("toolu_3", "drawer__picture", {})))
    model.say("All done.")
    await tab.open(conversation)
    await tab.await_connection()
    await tab.say("Well?")
    await expect(tab.page.locator("#tools-asking")).to_have_text("echo and echo: your permission is needed.")
    await cards(tab).nth(0).get_by_role("button", name="Allow once").focus()
    await tab.page.keyboard.press("Enter")
    second = cards(tab).nth(1).get_by_role("form", name="Permission for echo")
    await expect(second).to_be_focused()
    # Pressing the key twice must not answer the next question.
    await tab.page.keyboard.press("Enter")
    await expect(cards(tab).nth(1)).to_have_attribute("data-progress", "waiting")
    await cards(tab).nth(1).get_by_role("button", name="Refuse").click()
    await tab.await_answer()
    for place, progress in enumerate(["done", "refused", "done"]):
        await expect(cards(tab).nth(place)).to_have_attribute("data-progress", progress)
    await expect(cards(tab).nth(1).locator("summary")).to_contain_text("not allowed")
    await tab.page.reload()
    await expect(cards(tab).nth(1).locator("summary")).to_contain_text("not allowed")
    await expect(cards(tab).nth(2).get_by_role("img")).to_be_visible()


async def test_tools_fit_on_a_phone_and_their_count_is_shown_beside_the_composer(
    open_tab: OpenTab, ada: Person, conversation: str, drawer: Drawer, model: ModelServer, watch: Watch
) -> None:
    model.stream(*calling(model.protocol, ("toolu_1", "drawer__echo", {"text": "word" * 200})))
    model.say("Done.")
    tab = await open_tab(ada, viewport={"width": 390, "height": 800}, has_touch=True, color_scheme="dark")
    page = tab.page
    await tab.open(conversation)
    await tab.await_connection()
    await page.get_by_role("button", name="Tools: none selected").tap()
    for name in ("Echo asks first", "Picture"):
        await tab.dialog.get_by_role("checkbox", name=name).tap()
    await tab.dialog.get_by_role("button", name="Save").tap()
    # The composer gets key presses only once the closing dialog has returned the focus.
    await expect(page.get_by_role("button", name="Tools: 2 selected")).to_be_focused()
    await tab.say("Well?")
    await expect(cards(tab)).to_have_attribute("data-progress", "waiting")
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    await expect(tab.stop).to_be_in_viewport(ratio=1)
    gauge = await page.get_by_role("button", name="Context").bounding_box()
    stop = await tab.stop.bounding_box()
    assert gauge and stop and gauge["x"] + gauge["width"] <= stop["x"]
    await cards(tab).get_by_role("button", name="Allow for this conversation").tap()
    await tab.await_answer()
    await expect(cards(tab)).to_have_attribute("data-progress", "done")
