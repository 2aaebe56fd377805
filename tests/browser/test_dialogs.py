"""Dialogs close when a person means it, and ask before they throw changes away."""

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer

SIZES = [{}, {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}]


@pytest_asyncio.fixture(params=SIZES, ids=["wide", "phone"], loop_scope="session")
async def sized(request: pytest.FixtureRequest, open_tab: OpenTab, ada: Person, backstage: Backstage) -> Tab:
    tab = await open_tab(ada, **request.param)
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    return tab


async def open_settings(tab: Tab) -> tuple[Locator, Locator]:
    """Returns the dialog and its first field."""
    await tab.page.get_by_role("link", name="Conversation settings").click()
    dialog = tab.page.locator("#dialog")
    field = dialog.get_by_label("System prompt")
    await expect(field).to_be_visible()
    return dialog, field


async def drag(tab: Tab, start: tuple[float, float], end: tuple[float, float]) -> None:
    await tab.page.mouse.move(*start)
    await tab.page.mouse.down()
    await tab.page.mouse.move(*end, steps=4)
    await tab.page.mouse.up()


async def test_a_drag_that_ends_or_begins_inside_leaves_a_dialog_open(sized: Tab) -> None:
    dialog, field = await open_settings(sized)
    box = await field.bounding_box()
    assert box
    inside = (box["x"] + 20, box["y"] + 20)
    for start, end in ((inside, (3, 3)), ((3, 3), inside)):
        await drag(sized, start, end)
        await expect(dialog).to_be_visible()
    await sized.page.mouse.click(3, 3)
    await expect(dialog, "A click outside closes it.").to_be_hidden()


async def test_a_drag_out_of_the_list_of_shortcuts_leaves_it_open(tab: Tab) -> None:
    await tab.open()
    await tab.page.get_by_role("button", name="Keyboard shortcuts").click()
    sheet = tab.page.get_by_role("dialog", name="Keyboard shortcuts")
    box = await sheet.get_by_role("heading", name="Keyboard shortcuts").bounding_box()
    assert box
    await drag(tab, (box["x"] + 5, box["y"] + 5), (3, 3))
    await expect(sheet).to_be_visible()


@pytest.mark.parametrize("by", ["Escape", "click"])
async def test_a_dialog_asks_before_it_throws_changes_away(by: str, sized: Tab) -> None:
    async def leave() -> None:
        if by == "Escape":
            await sized.page.keyboard.press("Escape")
        else:
            await sized.page.mouse.click(3, 3)

    dialog, field = await open_settings(sized)
    await leave()
    await expect(dialog, "Without changes, it closes.").to_be_hidden()

    dialog, field = await open_settings(sized)
    await field.fill("Answer in verse.")
    question = sized.page.get_by_role("alertdialog", name="Discard your changes?")
    for _ in range(3):
        await leave()
        await expect(question).to_be_visible()
        await expect(question.get_by_role("button", name="Keep editing")).to_be_focused()
        await sized.page.keyboard.press("Escape")
        await expect(question).to_be_hidden()
        await expect(field).to_have_value("Answer in verse.")
    await expect(field).to_be_focused()
    await leave()
    await question.get_by_role("button", name="Discard").click()
    await expect(dialog).to_be_hidden()
    _, field = await open_settings(sized)
    await expect(field).to_have_value("")


@pytest.mark.parametrize("change", ["checkbox", "rejected"])
async def test_choices_and_rejected_values_are_changes(change: str, sized: Tab, watch: Watch) -> None:
    watch.expect("status of 422")
    dialog, _ = await open_settings(sized)
    if change == "checkbox":
        await dialog.get_by_role("checkbox").last.click()
    else:
        await dialog.get_by_label("Temperature").fill("9")
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog.locator(".errorlist").first).to_be_visible()
    await sized.page.keyboard.press("Escape")
    await expect(sized.page.get_by_role("alertdialog")).to_be_visible()


async def test_saving_and_cancelling_ask_nothing(sized: Tab) -> None:
    dialog, field = await open_settings(sized)
    await field.fill("Answer in verse.")
    await dialog.get_by_role("link", name="Cancel").click()
    await expect(dialog).to_be_hidden()
    dialog, field = await open_settings(sized)
    await field.fill("Answer in prose.")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()
    await expect(sized.page.get_by_role("alertdialog")).to_have_count(0)


async def test_escape_in_the_title_restores_it(sized: Tab, model: ModelServer) -> None:
    await sized.await_connection()
    await sized.title.fill("A title that")
    await sized.page.keyboard.press("Escape")
    await expect(sized.title).to_have_value("Words")
    await expect(sized.title).not_to_be_focused()
    await sized.page.reload()
    await expect(sized.title).to_have_value("Words")


async def test_escape_in_the_title_does_not_stop_an_answer(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("Half a", " thought")
    await tab.begin("Think")
    model.step()
    await expect(tab.answer_text).to_have_text("Half a")
    await tab.title.fill("Another")
    await tab.page.keyboard.press("Escape")
    await expect(tab.title).to_have_value("Think")
    model.release()
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("Half a thought")
