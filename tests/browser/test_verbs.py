"""The actions of a message: retry, edit, continue, delete, fork."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import CONVERSATION, Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer

BRANCH = re.compile(r"/conversations/\d+/\?branch=\d+(#m\d+)?$")


@pytest.fixture
def conversation(ada: Person, backstage: Backstage) -> str:
    return backstage.conversation(ada, "Words", ["Hello", "And?"], ["Hello to you.", "And so on."])


async def act(tab: Tab, message: Locator, name: str) -> None:
    await message.hover()
    await message.get_by_role("button", name=name, exact=True).click()


async def from_menu(tab: Tab, message: Locator, name: str) -> None:
    await act(tab, message, "More")
    await message.get_by_role("button", name=name).click()


async def test_a_retry_adds_a_version_and_arrows_switch_between_them(
    tab: Tab, conversation: str, model: ModelServer
) -> None:
    model.say("Said differently.")
    await tab.open(conversation)
    await tab.await_connection()
    await act(tab, tab.answer, "Retry")
    await expect(tab.page).to_have_url(BRANCH)
    await expect(tab.answer_text).to_have_text("Said differently.")
    versions = tab.answer.get_by_role("group", name="Versions")
    await expect(versions).to_have_text("2/2")
    await expect(tab.messages).to_have_count(4)
    second = tab.page.url

    await versions.get_by_role("link", name="Previous version").click()
    await expect(tab.answer_text).to_have_text("And so on.")
    await expect(versions).to_have_text("1/2")
    await expect(tab.page).to_have_url(BRANCH)
    await tab.page.reload()
    await expect(tab.answer_text).to_have_text("And so on.")
    await versions.get_by_role("link", name="Next version").click()
    await expect(tab.answer_text).to_have_text("Said differently.")
    assert tab.page.url.partition("#")[0] == second.partition("#")[0]
    await tab.page.reload()
    await expect(tab.answer_text).to_have_text("Said differently.")


async def test_a_turn_after_a_version_stays_on_its_branch(tab: Tab, conversation: str, model: ModelServer) -> None:
    model.say("Said differently.")
    model.say("On we go.")
    await tab.open(conversation)
    await tab.await_connection()
    await act(tab, tab.answer, "Retry")
    await expect(tab.answer_text).to_have_text("Said differently.")
    await tab.await_answer()
    await tab.await_connection()
    await tab.say("Go on")
    await expect(tab.answer_text).to_have_text("On we go.")
    await tab.await_answer()
    told = str(model.requests[-1].json["messages"])
    assert "Said differently." in told and "And so on." not in told
    await tab.messages.nth(3).get_by_role("link", name="Previous version").click()
    await expect(tab.answer_text).to_have_text("And so on.")
    await expect(tab.messages).to_have_count(4)


async def test_the_chosen_model_answers_a_retry(tab: Tab, conversation: str, model: ModelServer) -> None:
    model.say("In more words.")
    await tab.open(conversation)
    await tab.await_connection()
    await tab.choose_model("Wordy model")
    await act(tab, tab.answer, "Retry")
    await expect(tab.answer_text).to_have_text("In more words.")
    await expect(tab.answer).to_have_accessible_name("Wordy model")
    assert model.requests[-1].json["model"] == "wordy-model"


async def test_an_edited_turn_gets_a_new_answer_and_the_old_one_stays(
    tab: Tab, conversation: str, model: ModelServer
) -> None:
    model.say("To the sea.")
    await tab.open(conversation)
    await tab.await_connection()
    await act(tab, tab.own.last, "Edit")
    field = tab.page.get_by_role("textbox", name="Edit message")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("And?")
    await field.fill("And where to?")
    await tab.page.get_by_role("button", name="Save and ask again").click()
    await expect(tab.page).to_have_url(BRANCH)
    await expect(tab.own.last).to_contain_text("And where to?")
    await expect(tab.answer_text).to_have_text("To the sea.")
    await expect(tab.messages).to_have_count(4)
    versions = tab.own.last.get_by_role("group", name="Versions")
    await expect(versions).to_have_text("2/2")
    await versions.get_by_role("link", name="Previous version").click()
    await expect(tab.answer_text).to_have_text("And so on.")


async def leave_edit(tab: Tab, way: str) -> None:
    if way == "Cancel":
        await tab.page.get_by_role("link", name="Cancel").click()
    else:
        await tab.page.get_by_role("textbox", name="Edit message").press("Escape")


@pytest.mark.parametrize("way", ["Cancel", "Escape"])
async def test_an_edit_asks_before_it_throws_changes_away(
    way: str, tab: Tab, conversation: str, model: ModelServer
) -> None:
    await tab.open(conversation)
    await tab.await_connection()
    edit = tab.own.last.get_by_role("button", name="Edit", exact=True)
    field = tab.page.get_by_role("textbox", name="Edit message")
    question = tab.page.get_by_role("alertdialog", name="Discard your changes?")
    for _ in range(2):
        await act(tab, tab.own.last, "Edit")
        await field.fill("Changed my mind")
        for keep in ("button", "Escape"):
            await leave_edit(tab, way)
            await expect(question.get_by_role("button", name="Keep editing")).to_be_focused()
            if keep == "button":
                await question.get_by_role("button", name="Keep editing").click()
            else:
                await tab.page.keyboard.press("Escape")
            await expect(question).to_be_hidden()
            await expect(field).to_be_focused()
            await expect(field).to_have_value("Changed my mind")
        await leave_edit(tab, way)
        await question.get_by_role("button", name="Discard").click()
        await expect(field).to_have_count(0)
        await expect(tab.own.last.locator(".message-body")).to_have_text("And?")
        await expect(edit).to_be_focused()
    assert [request for request in model.requests if request.method == "POST"] == []


@pytest.mark.parametrize("way", ["Cancel", "Escape"])
async def test_an_edit_without_changes_is_left_without_a_question(
    way: str, tab: Tab, ada: Person, backstage: Backstage
) -> None:
    texts = ["  indented\n\n\nlines\n\ttab", "And? & <b>"]
    await tab.open(backstage.conversation(ada, "Words", texts, ["Hello.", "So."]))
    await tab.await_connection()
    field = tab.page.get_by_role("textbox", name="Edit message")
    for message in (tab.own.first, tab.own.last, tab.own.first):
        await act(tab, message, "Edit")
        await expect(field).to_be_focused()
        text = await field.input_value()
        await field.fill("Changed")
        await field.fill(text)
        await leave_edit(tab, way)
        await expect(field).to_have_count(0)
        await expect(tab.page.get_by_role("alertdialog")).to_be_hidden()


async def test_a_page_with_nothing_but_an_edit_asks_too(tab: Tab, conversation: str) -> None:
    await tab.open(conversation)
    address = await tab.own.last.get_by_role("button", name="Edit", exact=True).get_attribute("href")
    field = tab.page.get_by_role("textbox", name="Edit message")
    await tab.open(address or "")
    await leave_edit(tab, "Cancel")
    await expect(tab.page).to_have_url(CONVERSATION)
    await tab.open(address or "")
    await field.fill("Changed my mind")
    await leave_edit(tab, "Cancel")
    await tab.page.get_by_role("alertdialog").get_by_role("button", name="Discard").click()
    await expect(tab.page).to_have_url(CONVERSATION)


async def test_arrow_up_returns_to_an_edit_that_has_begun(tab: Tab, conversation: str) -> None:
    await tab.open(conversation)
    await tab.await_connection()
    field = tab.page.get_by_role("textbox", name="Edit message")
    await tab.composer.press("ArrowUp")
    await field.fill("Changed my mind")
    await tab.composer.focus()
    await tab.composer.press("ArrowUp")
    await expect(field).to_be_focused()
    await expect(field).to_have_value("Changed my mind")
    await tab.page.keyboard.press("Escape")
    await tab.page.get_by_role("alertdialog").get_by_role("button", name="Discard").click()
    await expect(tab.own.last.locator(".message-body")).to_have_text("And?")


async def test_an_empty_edit_shows_an_error_at_its_field(tab: Tab, conversation: str, watch: Watch) -> None:
    watch.expect("status of 422")
    await tab.open(conversation)
    await tab.await_connection()
    await act(tab, tab.own.last, "Edit")
    field = tab.page.get_by_role("textbox", name="Edit message")
    await field.fill("  ")
    await tab.page.get_by_role("button", name="Save and ask again").click()
    await expect(tab.own.last.get_by_role("alert")).to_contain_text("Write a message first.")
    await expect(field).to_have_value("  ")


async def test_nobody_can_edit_or_delete_another_persons_message(
    tab: Tab, conversation: str, ben: Person, backstage: Backstage, open_tab: OpenTab
) -> None:
    backstage.join(conversation, ben)
    bens = await open_tab(ben)
    await bens.open(conversation)
    await bens.own.last.hover()
    await expect(bens.own.last.get_by_role("button", name="Copy")).to_be_visible()
    await expect(bens.own.last.get_by_role("button", name="Edit", exact=True)).to_have_count(0)
    await act(bens, bens.own.last, "More")
    await expect(bens.own.last.get_by_role("button", name="New conversation from here")).to_be_visible()
    await expect(bens.own.last.get_by_role("button", name="Delete message")).to_have_count(0)


async def test_a_stopped_answer_is_continued_in_its_message(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("Half a", " lost end")
    model.say(" thought, whole.")
    await tab.begin("Think")
    model.step()
    await expect(tab.answer_text).to_have_text("Half a")
    await tab.stop.click()
    await tab.await_answer("stopped")
    model.release()
    await act(tab, tab.answer, "Continue")
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("Half a thought, whole.")
    await expect(tab.messages).to_have_count(2)
    await expect(tab.answer.get_by_role("button", name="Continue")).to_have_count(0)
    await expect(tab.page).to_have_url(CONVERSATION)
    await tab.page.reload()
    await expect(tab.answer_text).to_have_text("Half a thought, whole.")


async def test_a_deleted_message_can_be_restored(tab: Tab, conversation: str, model: ModelServer) -> None:
    model.say("Indeed.")
    await tab.open(conversation)
    await tab.await_connection()
    before = await tab.log.locator(".message-body").all_inner_texts()
    await from_menu(tab, tab.messages.nth(1), "Delete message")
    await expect(tab.messages).to_have_count(3)
    toast = tab.page.locator(".toast")
    await expect(toast).to_contain_text("The message was deleted.")
    await toast.get_by_role("button", name="Undo").click()
    await expect(tab.messages).to_have_count(4)
    await expect(toast).to_have_count(0)
    assert await tab.log.locator(".message-body").all_inner_texts() == before

    await from_menu(tab, tab.messages.nth(1), "Delete message")
    await expect(tab.messages).to_have_count(3)
    await tab.say("Really?")
    await tab.await_answer()
    assert "Hello to you." not in str(model.requests[-1].json["messages"])


async def test_a_fork_begins_with_the_messages_so_far(tab: Tab, conversation: str, model: ModelServer) -> None:
    model.say("Somewhere else.")
    await tab.open(conversation)
    await tab.await_connection()
    old = tab.page.url
    await from_menu(tab, tab.messages.nth(1), "New conversation from here")
    await expect(tab.messages).to_have_count(2)
    assert tab.page.url.partition("?")[0] != old
    await tab.await_connection()
    await expect(tab.rows).to_have_count(2)
    await tab.say("Where are we?")
    await expect(tab.answer_text).to_have_text("Somewhere else.")
    await tab.page.goto(old)
    await expect(tab.messages).to_have_count(4)


async def test_the_actions_of_a_message_work_by_keyboard(tab: Tab, conversation: str) -> None:
    await tab.open(conversation)
    await tab.await_connection()
    keys, message = tab.page.keyboard, tab.own.last
    edit = message.get_by_role("button", name="Edit", exact=True)
    await edit.focus()
    await expect(edit).to_be_in_viewport()
    await keys.press("Space")
    field = tab.page.get_by_role("textbox", name="Edit message")
    await expect(field).to_be_focused()
    await keys.press("Tab")
    await expect(tab.page.get_by_role("link", name="Cancel")).to_be_focused()
    await keys.press("Enter")
    await expect(edit).to_be_focused()

    await keys.press("Tab")
    more = message.get_by_role("button", name="More")
    await expect(more).to_be_focused()
    await keys.press("Enter")
    menu = message.locator("[popover]")
    await expect(menu.get_by_role("button", name="New conversation from here")).to_be_focused()
    await keys.press("Escape")
    await expect(menu).to_be_hidden()
    await expect(more).to_be_focused()
    await keys.press("Space")
    await expect(menu.get_by_role("button", name="New conversation from here")).to_be_focused()
    await keys.press("ArrowDown")
    await expect(menu.get_by_role("button", name="Delete message")).to_be_focused()
    await keys.press("Enter")
    await expect(tab.messages).to_have_count(3)
    undo = tab.page.get_by_role("button", name="Undo")
    await expect(undo).to_be_visible()
    await undo.focus()
    await keys.press("Enter")
    await expect(tab.messages).to_have_count(4)
