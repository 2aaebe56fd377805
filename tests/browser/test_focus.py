"""The composer has the focus, and what somebody types reaches it."""

import re

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.fakes import ModelServer

NARROW = {"viewport": {"width": 390, "height": 844}}
HOME = re.compile(r"//[^/]+/$")


@pytest_asyncio.fixture(params=[{}, NARROW], ids=["wide", "narrow"], loop_scope="session")
async def sized(request: pytest.FixtureRequest, open_tab: OpenTab, ada: Person) -> Tab:
    return await open_tab(ada, **request.param)


@pytest.fixture
def conversation(ada: Person, backstage: Backstage) -> str:
    return backstage.conversation(ada, "Words", ["Hello", "And?"], ["Hello to you.", "And so on."])


async def act(message: Locator, name: str) -> None:
    await message.hover()
    await message.get_by_role("button", name=name, exact=True).click()


async def leave_fields(tab: Tab) -> None:
    """Takes the focus out of every field, as a click on the page does."""
    await tab.log.click(position={"x": 3, "y": 3})
    await expect(tab.composer).not_to_be_focused()


async def test_the_composer_has_the_focus_after_everything_that_leads_back_to_it(
    sized: Tab, conversation: str, model: ModelServer
) -> None:
    tab = sized
    model.say("Said differently.")
    model.say("Said again.")
    await tab.open(conversation)
    await expect(tab.composer, "After loading.").to_be_focused()
    await tab.await_connection()

    await act(tab.answer, "Retry")
    await expect(tab.answer_text).to_have_text("Said differently.")
    await expect(tab.composer, "After Retry.").to_be_focused()
    await tab.await_answer()
    await tab.answer.get_by_role("link", name="Previous version").click()
    await expect(tab.answer_text).to_have_text("And so on.")
    await expect(tab.composer, "After switching versions.").to_be_focused()
    await tab.await_connection()

    await act(tab.own.last, "Edit")
    field = tab.page.get_by_role("textbox", name="Edit message")
    await expect(field).to_be_focused()
    await field.fill("And then?")
    await tab.page.get_by_role("button", name="Save and ask again").click()
    await expect(tab.answer_text).to_have_text("Said again.")
    await expect(tab.composer, "After Edit.").to_be_focused()


async def test_the_composer_has_the_focus_after_sending_and_stopping(sized: Tab, model: ModelServer) -> None:
    tab = sized
    model.hold()
    model.say("Half a", " thought")
    await tab.begin("Think")
    await expect(tab.composer, "After the first message.").to_be_focused()
    model.step()
    await expect(tab.answer_text).to_have_text("Half a")
    await tab.stop.click()
    await tab.await_answer("stopped")
    await expect(tab.composer, "After Stop.").to_be_focused()
    model.release()
    model.say(" and the rest.")
    await act(tab.answer, "Continue")
    await tab.await_answer()
    await expect(tab.composer, "After Continue.").to_be_focused()
    model.say("You are welcome.")
    await tab.composer.fill("Thanks")
    await tab.send.click()
    await expect(tab.own).to_have_count(2)
    await expect(tab.composer, "After Send.").to_be_focused()


async def test_sending_leaves_another_field_its_focus(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("Half a", " thought")
    await tab.begin("Think")
    model.step()
    await tab.title.focus()
    await tab.page.keyboard.type("Better ")
    model.release()
    await tab.await_answer()
    await expect(tab.title).to_be_focused()


@pytest.mark.parametrize("words", ["never mind", "bc?", "7 of 9", "/path", "Never"])
async def test_what_is_typed_outside_a_field_goes_into_the_composer(words: str, sized: Tab, conversation: str) -> None:
    tab = sized
    await tab.open(conversation)
    await leave_fields(tab)
    await tab.page.keyboard.type(words)
    await expect(tab.composer).to_have_value(words)
    await expect(tab.page).to_have_url(re.compile(f"{conversation}$"))
    await leave_fields(tab)
    await tab.page.keyboard.type(" n?")
    await expect(tab.composer, "After a pause, at the end.").to_have_value(f"{words} n?")


@pytest.mark.parametrize("key", ["é", "ж", "日", "€"])
async def test_letters_of_every_script_reach_the_composer(key: str, tab: Tab, conversation: str) -> None:
    await tab.open(conversation)
    await leave_fields(tab)
    await tab.page.evaluate(
        "key => document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}))", key
    )
    await expect(tab.composer).to_be_focused()


async def test_letters_on_a_button_go_into_the_composer_and_its_own_keys_do_not(tab: Tab, conversation: str) -> None:
    await tab.open(conversation)
    settings = tab.page.get_by_role("link", name="Conversation settings")
    await settings.focus()
    await tab.page.keyboard.type("so")
    await expect(tab.composer).to_be_focused()
    await expect(tab.composer).to_have_value("so")
    await settings.focus()
    await tab.page.keyboard.press("Enter")
    prompt = tab.dialog.get_by_label("System prompt")
    await expect(prompt).to_be_focused()
    await tab.dialog.get_by_role("link", name="Cancel").focus()
    await tab.page.keyboard.type("x")
    await expect(tab.composer, "Not in a dialog.").to_have_value("so")
    await tab.page.keyboard.press("Escape")
    await expect(tab.dialog).to_be_hidden()
    help_button = tab.page.get_by_role("button", name="Keyboard shortcuts")
    await help_button.focus()
    await tab.page.keyboard.press("Space")
    await expect(tab.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await expect(tab.composer, "Nor the space bar on a button.").to_have_value("so")


async def test_keys_with_modifiers_and_in_a_composition_are_not_typed(tab: Tab, conversation: str) -> None:
    await tab.open(conversation)
    await leave_fields(tab)
    for keys in ("Control+c", "Control+a", "Alt+x", "Meta+c", "ArrowDown", "F2", "Shift"):
        await tab.page.keyboard.press(keys)
    await tab.page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'a', isComposing: true, bubbles: true}))"
    )
    await expect(tab.composer).not_to_be_focused()
    await expect(tab.composer).to_have_value("")


async def test_text_pasted_outside_a_field_goes_into_the_composer(tab: Tab, conversation: str) -> None:
    await tab.open(conversation)
    await tab.composer.fill("pasted")
    await tab.composer.press("Control+a")
    await tab.composer.press("Control+x")
    await expect(tab.composer).to_have_value("")
    await leave_fields(tab)
    await tab.page.keyboard.press("Control+v")
    await expect(tab.composer).to_have_value("pasted")


async def test_on_a_touch_screen_a_page_opens_without_the_keyboard(
    open_tab: OpenTab, ada: Person, conversation: str
) -> None:
    tab = await open_tab(ada, **NARROW, has_touch=True, is_mobile=True)
    await tab.open(conversation)
    await tab.await_connection()
    await expect(tab.composer).not_to_be_focused()
