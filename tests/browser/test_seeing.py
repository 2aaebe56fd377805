"""Contrast in both colour schemes, large targets, and the main task without a mouse."""

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import CONVERSATION, Tab
from tests.fakes import ModelServer

MESSAGE_TEXT, TEXT, SHAPE = 7, 4.5, 3
PAIRS = [
    *(("text", ground, MESSAGE_TEXT) for ground in ("paper", "surface", "raised", "sidebar")),
    *(("muted", ground, TEXT) for ground in ("paper", "surface", "raised", "sidebar")),
    *(("accent", ground, TEXT) for ground in ("paper", "surface", "raised")),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-hover", TEXT),
    *((colour, "paper", TEXT) for colour in ("danger", "warning", "success")),
    ("danger", "raised", TEXT),
    *(("field-line", ground, SHAPE) for ground in ("paper", "raised")),
]
CONTRAST = """([front, back]) => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const luminance = (name) => {
        const probe = document.body.appendChild(document.createElement("i"));
        probe.style.color = `var(--${name})`;
        canvas.fillStyle = getComputedStyle(probe).color;
        probe.remove();
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(it => it / 255)
            .map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const [dark, light] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}"""
SMALL = """() => [...document.querySelectorAll("button, a.button, .message a[role=button], select, summary")]
    .filter(it => it.checkVisibility({visibilityProperty: true}) && it.getBoundingClientRect().height < 43)
    .map(it => it.getAttribute("aria-label") ?? it.textContent.trim())"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_enough_contrast(scheme: str, open_tab: OpenTab, ada: Person) -> None:
    tab = await open_tab(ada, color_scheme=scheme)
    await tab.open()
    found = [(front, back, await tab.page.evaluate(CONTRAST, [front, back]), least) for front, back, least in PAIRS]
    assert [(front, back, ratio) for front, back, ratio, least in found if ratio < least] == []


async def test_targets_are_large_enough_for_a_finger(
    open_tab: OpenTab, ada: Person, ben: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Said differently.")
    tab = await open_tab(ada, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    address = backstage.conversation(ada, "Words", ["Hello"], ["Hello to you."])
    backstage.join(address, ben)
    await tab.open(address)
    await tab.await_connection()
    await tab.answer.get_by_role("button", name="Retry").tap()
    await expect(tab.answer.get_by_role("group", name="Versions")).to_have_text("2/2")
    await tab.await_answer()
    await tab.await_connection()
    assert await tab.page.evaluate(SMALL) == []
    await tab.page.get_by_role("button", name="Members").tap()
    await expect(tab.dialog.get_by_role("button", name="Remove Ben Okri")).to_be_visible()
    assert await tab.page.evaluate(SMALL) == []
    await tab.dialog.get_by_role("button", name="Close").or_(tab.dialog.get_by_role("link", name="Close")).tap()
    await tab.own.get_by_role("button", name="More").tap()
    await tab.own.get_by_role("button", name="Delete message").tap()
    await expect(tab.page.get_by_role("button", name="Undo")).to_be_visible()
    assert await tab.page.evaluate(SMALL) == []


async def test_headings_skip_no_level(tab: Tab, ada: Person, backstage: Backstage) -> None:
    await tab.open(
        backstage.conversation(ada, "Words", ["Hello"], ["### Hello\n\n# To you\n\n###### All\n\n- ## of you"])
    )
    await tab.await_connection()
    levels = """() => [...document.querySelectorAll('h1, h2, h3, h4, h5')]
        .filter(it => it.checkVisibility()).map(it => Number(it.tagName[1]))"""
    assert await tab.page.evaluate(levels) == [1, 2, 2, 3, 3, 4, 5], (
        "the page, both messages, and the headings of the answer"
    )
    await tab.page.get_by_role("button", name="Members").click()
    await expect(tab.dialog).to_have_accessible_name("Members")
    assert await tab.page.evaluate(levels) == [1, 2, 2, 3, 3, 4, 5, 2]


async def test_the_main_task_needs_no_mouse(tab: Tab, model: ModelServer) -> None:
    keys = tab.page.keyboard
    model.say("Hello to you.")
    model.say("Said differently.")
    model.say("Much to tell.")
    await tab.open()
    await expect(tab.composer).to_be_focused()
    await keys.type("Hello")
    await keys.press("Enter")
    await expect(tab.page).to_have_url(CONVERSATION)
    await tab.await_answer()
    await tab.await_connection()

    await keys.press("c")
    await expect(tab.composer).to_be_focused()
    for _ in range(12):
        await keys.press("Shift+Tab")
        if await tab.answer.get_by_role("button", name="Retry").evaluate("it => it === document.activeElement"):
            break
    await keys.press("Enter")
    await expect(tab.answer_text).to_have_text("Said differently.")
    await tab.await_answer()
    await tab.await_connection()
    await keys.press("c")
    await keys.type("Tell me more")
    await keys.press("Enter")
    await expect(tab.answer_text).to_have_text("Much to tell.")
    await tab.await_answer()
    await expect(tab.composer).to_be_focused()
    await keys.press("Escape")
    await expect(tab.own).to_have_count(2)
