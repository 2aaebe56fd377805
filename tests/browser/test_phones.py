"""Phones, small windows and pages at a zoom of 400 %."""

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.fakes import ModelServer

TOUCH = {"has_touch": True, "is_mobile": True}
PHONE = {"viewport": {"width": 390, "height": 844}, **TOUCH}
SIDEWAYS_PHONE = {"viewport": {"width": 640, "height": 360}, **TOUCH}
ZOOMED = {"viewport": {"width": 320, "height": 256}}
SMALL_SWITCHES = """() => [...document.querySelectorAll("[role=switch]")]
    .map(it => it.getBoundingClientRect()).filter(({width, height}) => width < 44 || height < 44).length"""
OVERLAPS = """() => [...document.querySelectorAll(".message")].filter(message => {
    const parts = [".message-name", ".message-time", ".message-foot"].map(it => message.querySelector(it));
    const boxes = parts.map(it => it.getBoundingClientRect());
    return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right && b.left < a.right
        && a.top < b.bottom && b.top < a.bottom));
}).length"""
SIDEWAYS = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture
def conversation(ada: Person, backstage: Backstage) -> str:
    return backstage.conversation(ada, "Words", ["Hello", "And?"], ["Hello to you.", "And so on."])


async def test_enter_starts_a_line_on_a_touch_screen(open_tab: OpenTab, ada: Person, model: ModelServer) -> None:
    model.say("Yes.")
    tab = await open_tab(ada, **PHONE)
    await tab.open()
    await expect(tab.composer).to_have_attribute("enterkeyhint", "enter")
    await tab.composer.tap()
    await tab.page.keyboard.type("one")
    await tab.page.keyboard.press("Enter")
    await tab.page.keyboard.type("two")
    await expect(tab.composer).to_have_value("one\ntwo")
    assert model.requests == []
    await tab.send.tap()
    await tab.await_answer()
    await expect(tab.own.locator(".message-body")).to_have_text("one two")


async def test_a_keyboard_on_a_touch_screen_sends_with_ctrl(open_tab: OpenTab, ada: Person, model: ModelServer) -> None:
    model.say("Yes.")
    tab = await open_tab(ada, **PHONE)
    await tab.open()
    await tab.composer.fill("Well?")
    await tab.composer.press("Control+Enter")
    await tab.await_answer()


@pytest.mark.parametrize("options", [PHONE, ZOOMED], ids=["phone", "zoomed"])
async def test_the_drawer_is_modal(
    options: dict[str, object], open_tab: OpenTab, ada: Person, conversation: str
) -> None:
    tab = await open_tab(ada, **options)
    await tab.open(conversation)
    show = tab.page.locator(".page-head").get_by_role("button", name="Show conversations")
    await show.click()
    where = "document.activeElement.closest('#sidebar') !== null"
    assert await tab.page.evaluate(where), "The focus goes in."
    # The end of the page leads to the browser's own controls, which have no element.
    outside = "document.activeElement !== document.body && document.activeElement.closest('#sidebar') === null"
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 14:
        await tab.page.keyboard.press(key)
        assert not await tab.page.evaluate(outside)
    await tab.page.keyboard.press("x")
    await expect(tab.composer, "Nothing is typed behind it.").to_have_value("")
    await expect(tab.page.locator(".frame-page")).to_have_attribute("inert", "")
    await tab.page.keyboard.press("Escape")
    await expect(tab.sidebar).to_be_hidden()
    await expect(show).to_be_focused()

    await show.click()
    await expect(tab.row("Words")).to_be_in_viewport()
    width = options["viewport"]["width"]  # type: ignore[index]
    await tab.page.mouse.click(width - 6, 200)
    await expect(tab.sidebar).to_be_hidden()
    await expect(show).to_be_focused()
    await expect(tab.page.locator(".frame-page")).not_to_have_attribute("inert", "")


async def test_a_page_that_becomes_wide_has_no_drawer(open_tab: OpenTab, ada: Person, conversation: str) -> None:
    tab = await open_tab(ada, viewport={"width": 390, "height": 844})
    await tab.open(conversation)
    await tab.page.get_by_role("button", name="Show conversations").click()
    await tab.page.set_viewport_size({"width": 1280, "height": 800})
    await tab.composer.fill("Words")
    await expect(tab.page.locator(".sidebar-scrim")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 760, 1280])
async def test_nothing_in_the_head_of_a_message_covers_another_part(
    width: int, open_tab: OpenTab, ada: Person, ben: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Again.")
    long = backstage.person("Wolfeschlegelsteinhausenbergerdorff von und zu Hohenlohe-Langenburg")
    address = backstage.conversation(long, "Words", ["Hello", "And?"], ["Hello to you.", "And so on."])
    touch = TOUCH if width < 768 else {}
    tab = await open_tab(long, viewport={"width": width, "height": 844}, **touch)
    await tab.open(address)
    await tab.await_connection()
    assert await tab.page.evaluate(OVERLAPS) == 0
    await tab.own.last.hover()
    await tab.own.last.get_by_role("button", name="Edit", exact=True).click()
    await tab.page.get_by_role("textbox", name="Edit message").fill("And then?")
    await tab.page.get_by_role("button", name="Save and ask again").click()
    await expect(tab.own.last.get_by_role("group", name="Versions")).to_have_text("2/2")
    assert await tab.page.evaluate(OVERLAPS) == 0
    assert not await tab.page.evaluate(SIDEWAYS)


async def test_switches_are_large_enough_for_a_finger(open_tab: OpenTab, backstage: Backstage) -> None:
    backstage.tool("http://127.0.0.1:9/mcp", "look")
    tab = await open_tab(backstage.administrator(), **PHONE)
    await tab.open("/settings/providers/")
    for address in await tab.page.evaluate(
        "[...document.querySelectorAll('main a')].map(it => it.pathname).filter(it => /providers\\/\\d+\\/$/.test(it))"
    ):
        await tab.open(address)
        assert await tab.page.get_by_role("switch").count()
        assert await tab.page.evaluate(SMALL_SWITCHES) == 0
    backstage.delete_tools()


@pytest.mark.parametrize("draft", ["", "A thought.\n" * 12], ids=["empty", "long"])
@pytest.mark.parametrize("options", [SIDEWAYS_PHONE, ZOOMED], ids=["landscape", "zoomed"])
async def test_a_low_window_leaves_the_messages_room(
    options: dict[str, object], draft: str, open_tab: OpenTab, ada: Person, conversation: str
) -> None:
    tab = await open_tab(ada, **options)
    await tab.open(conversation)
    await tab.await_connection()
    await tab.composer.fill(draft)
    share = await tab.page.evaluate("document.getElementById('scroller').clientHeight / innerHeight")
    assert share >= (0.25 if draft else 0.5)
    assert not await tab.page.evaluate(SIDEWAYS)
    for control in (tab.composer, tab.send, tab.model):
        await expect(control).to_be_in_viewport(ratio=1)
    await tab.page.get_by_role("link", name="Conversation settings").click()
    await expect(tab.page.locator("#dialog").get_by_role("button", name="Save")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("options", [SIDEWAYS_PHONE, ZOOMED], ids=["landscape", "zoomed"])
async def test_a_low_window_can_begin_a_conversation(
    options: dict[str, object], open_tab: OpenTab, ada: Person
) -> None:
    tab = await open_tab(ada, **options)
    await tab.open()
    await expect(tab.send).to_be_in_viewport(ratio=1)
    await expect(tab.composer).to_be_in_viewport(ratio=1)
