"""Images in answers: seen while the answer grows, in their place, without a shift of the text below."""

import pytest
from playwright.async_api import Route, expect

from tests import files
from tests.browser.backstage import Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import CONVERSATION, Tab
from tests.conversations.answering.drawing import drawing
from tests.fakes import ModelServer
from tests.steps import Hang

LOADED = "image => image.decode().then(() => [image.naturalWidth, image.clientWidth, image.clientHeight])"
PLACES = """body => [...body.children].map(
    (part) => Math.round(part.getBoundingClientRect().top - body.getBoundingClientRect().top))"""
PICTURE = files.image(size=(1200, 800))


async def test_an_image_appears_in_a_growing_answer_and_opens_in_full(tab: Tab, model: ModelServer) -> None:
    model.stream(*drawing(model.protocol, ["Here is a field:", PICTURE, "Do you like it?"], has_end=False), Hang())
    await tab.begin("Draw a field")
    image = tab.answer.get_by_role("img", name="Image 1.png")
    await expect(image).to_be_visible()
    await expect(tab.answer).to_have_attribute("data-state", "running")
    assert await image.evaluate(LOADED) == [640, 480, 320]
    await expect(tab.answer_text).to_contain_text("Do you like it?")
    await tab.stop.click()
    await tab.await_answer("stopped")
    await image.click()
    shown = tab.dialog.get_by_role("img", name="Image 1.png")
    await expect(shown).to_have_js_property("naturalWidth", 1200)
    await tab.page.keyboard.press("Escape")
    await expect(tab.answer.get_by_role("link", name="Image 1.png")).to_be_focused()
    await tab.page.reload()
    assert await image.evaluate(LOADED) == [640, 480, 320]


async def test_the_text_below_an_image_stays_where_it_is_when_the_image_loads(tab: Tab, model: ModelServer) -> None:
    waiting: list[Route] = []
    await tab.page.route("**/thumbnail/", lambda route: waiting.append(route))
    model.stream(*drawing(model.protocol, ["Here:", PICTURE, "Below"]))
    await tab.begin("Draw")
    await tab.await_answer()
    image = tab.answer.get_by_role("img")
    before = await tab.answer_text.evaluate(PLACES)
    await expect(image).to_have_js_property("naturalWidth", 0)
    for route in waiting:
        await route.continue_()
    await tab.page.unroute("**/thumbnail/")
    await expect(image).to_have_js_property("naturalWidth", 640)
    assert await tab.answer_text.evaluate(PLACES) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_an_image_fits_every_screen(
    scheme: str, width: int, open_tab: OpenTab, ada: Person, model: ModelServer
) -> None:
    tab = await open_tab(ada, viewport={"width": width, "height": 800}, color_scheme=scheme)
    tall = files.image(size=(400, 900), mode="RGBA", colour=(20, 120, 90, 128))
    model.stream(*drawing(model.protocol, ["Here is a field:", PICTURE, "And a tower:", tall, "Which one?", b"<svg/>"]))
    await tab.begin("Draw")
    await expect(tab.page).to_have_url(CONVERSATION)
    await tab.await_answer()
    images = tab.answer.get_by_role("img")
    for place in range(2):
        await images.nth(place).scroll_into_view_if_needed()
        await images.nth(place).evaluate(LOADED)
        box = await images.nth(place).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
    assert await tab.page.evaluate("document.documentElement.scrollWidth") <= width
