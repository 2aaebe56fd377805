"""The menu of models: a combobox with scripts, a `<select>` without."""

from collections.abc import Callable, Iterator

import pytest
from playwright.async_api import Locator, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import CONVERSATION, Tab
from tests.fakes import ModelServer

LONG = "A model with a name that is much longer than the field it is shown in, and longer than a phone is wide"


@pytest.fixture
def add_models(backstage: Backstage) -> Iterator[Callable[..., None]]:
    yield backstage.add_models
    backstage.delete_added_models()


def options(tab: Tab) -> Locator:
    return tab.page.get_by_role("option")


async def test_typing_filters_arrows_move_and_enter_chooses(tab: Tab, model: ModelServer) -> None:
    model.say("Yes.")
    await tab.open()
    await expect(tab.model).to_have_value("Test model")
    await expect(tab.model).to_have_attribute("aria-expanded", "false")
    await tab.model.focus()
    await tab.page.keyboard.press("ArrowDown")
    await expect(tab.model).to_have_attribute("aria-expanded", "true")
    await expect(options(tab)).to_have_count(3)
    await expect(tab.page.get_by_role("option", name="Test model", exact=True, selected=True)).to_be_visible()
    await tab.page.keyboard.type("o")
    await expect(options(tab)).to_have_count(3)
    await tab.page.keyboard.type("rd")
    await expect(options(tab)).to_have_count(1)
    await expect(options(tab)).to_have_accessible_name("Wordy model")
    await tab.page.keyboard.press("Enter")
    await expect(options(tab)).to_have_count(0)
    await expect(tab.model).to_have_value("Wordy model")
    await expect(tab.composer).to_have_attribute("placeholder", "Message Wordy model…")
    await tab.composer.fill("Who are you?")
    await tab.send.click()
    await tab.await_answer()
    assert model.requests[-1].json["model"] == "wordy-model"


async def test_arrows_name_the_active_option_and_pass_the_ends(tab: Tab) -> None:
    await tab.open()
    await tab.model.focus()
    named = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "Home", "End"):
        await tab.page.keyboard.press(key)
        active = await tab.model.get_attribute("aria-activedescendant")
        named.append(await tab.page.locator(f"#{active}").get_attribute("aria-label"))
    test, tiny, wordy = "Test model", "Tiny model", "Wordy model"
    assert named == [test, tiny, wordy, test, wordy, test, wordy]


async def test_escape_closes_and_keeps_the_model(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("Slowly", " said.")
    await tab.begin("Hello")
    await expect(tab.answer).to_have_attribute("data-state", "running")
    await tab.model.fill("wordy")
    await expect(options(tab)).to_have_count(1)
    await tab.page.keyboard.press("Escape")
    await expect(tab.model).to_have_attribute("aria-expanded", "false")
    await expect(tab.model).to_have_value("Test model")
    # The answer was not stopped: that is the second Escape.
    await expect(tab.answer).to_have_attribute("data-state", "running")
    model.release()
    await tab.await_answer()
    await tab.model.fill("wordy")
    await tab.title.click()
    await expect(tab.model).to_have_value("Test model")


async def test_what_no_model_matches_is_said(tab: Tab) -> None:
    await tab.open()
    await tab.model.fill("gpt-17")
    await expect(tab.page.locator(".model-menu").get_by_role("status")).to_have_text("No model matches.")
    await tab.page.keyboard.press("Enter")
    await expect(tab.model).to_have_attribute("aria-expanded", "true")
    await tab.page.keyboard.press("Escape")
    await expect(tab.model).to_have_value("Test model")


async def test_a_model_says_how_much_it_holds_and_whether_it_sees_images(tab: Tab) -> None:
    await tab.open()
    await tab.model.click()
    seeing = tab.page.get_by_role("option", name="Test model", exact=True)
    await expect(seeing).to_have_accessible_description("200k context · sees images")
    await expect(seeing).to_contain_text("200k context")
    blind = tab.page.get_by_role("option", name="Wordy model", exact=True)
    await expect(blind).to_have_accessible_description("")
    await blind.click()
    await expect(tab.model).to_have_value("Wordy model")


@pytest.mark.parametrize("count", [19, 300])
@pytest.mark.parametrize("wide", [True, False])
async def test_any_of_many_models_is_found_by_a_few_letters(
    count: int, wide: bool, open_tab: OpenTab, ada: Person, add_models: Callable[..., None]
) -> None:
    add_models([f"House model {number}" for number in range(count)] + [LONG])
    size = {"width": 1280, "height": 800} if wide else {"width": 360, "height": 740}
    tab = await open_tab(ada, viewport=size, has_touch=not wide, is_mobile=not wide)
    await tab.open()
    await tab.model.click()
    await expect(options(tab)).to_have_count(count + 4)
    menu = tab.page.locator(".model-menu")
    box = await menu.bounding_box()
    assert box and box["x"] >= 0 and box["y"] >= 0
    assert box["x"] + box["width"] <= size["width"] and box["y"] + box["height"] <= size["height"]
    await tab.model.press_sequentially(f"house {count - 1}")
    await expect(options(tab).first).to_have_accessible_name(f"House model {count - 1}")
    await tab.model.press("Enter")
    await expect(tab.model).to_have_value(f"House model {count - 1}")
    await tab.choose_model(LONG)
    field = await tab.model.bounding_box()
    assert field and field["x"] + field["width"] <= size["width"]
    await expect(tab.send).to_be_in_viewport()


async def test_the_last_model_is_remembered_and_recent_ones_come_first(
    tab: Tab, open_tab: OpenTab, ada: Person, ben: Person, model: ModelServer, add_models: Callable[..., None]
) -> None:
    add_models([f"House model {number}" for number in range(19)])
    for name in ("Tiny model", "Wordy model"):
        model.say("Yes.")
        await tab.open()
        await tab.choose_model(name)
        await tab.composer.fill("Hello")
        await tab.send.click()
        await expect(tab.page).to_have_url(CONVERSATION)
        await tab.await_answer()
    elsewhere = await open_tab(ada)
    await elsewhere.open()
    await expect(elsewhere.model).to_have_value("Wordy model")
    await elsewhere.model.click()
    recent = elsewhere.page.get_by_role("group", name="Recent").get_by_role("option")
    assert [await each.get_attribute("aria-label") for each in await recent.all()] == ["Wordy model", "Tiny model"]
    bens = await open_tab(ben)
    await bens.open()
    await expect(bens.model).to_have_value("Test model")


async def test_without_scripts_the_models_are_a_select(open_tab: OpenTab, ada: Person, model: ModelServer) -> None:
    model.say("Yes.")
    tab = await open_tab(ada, java_script_enabled=False)
    await tab.open()
    await tab.model.select_option(label="Wordy model")
    await tab.composer.fill("Who are you?")
    await tab.send.click()
    await expect(tab.page).to_have_url(CONVERSATION)
    await expect(tab.model.locator("option:checked")).to_have_text("Wordy model")
