"""Stopping an answer closes the upstream's connection and keeps the text."""

import pytest
from playwright.async_api import expect

from tests.browser.tab import Tab
from tests.fakes import ModelServer


@pytest.mark.parametrize("by", ["button", "Escape"])
async def test_stop_closes_the_upstream_connection_and_keeps_the_text(by: str, tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("Half a", " thought")
    await tab.begin("Think")
    model.step()
    await expect(tab.answer_text).to_have_text("Half a")
    await expect(tab.stop).to_be_visible()
    await expect(tab.send, "One place, two verbs.").to_be_hidden()
    assert not model.disconnected.is_set()
    if by == "button":
        await tab.stop.click()
    else:
        await tab.composer.press("Escape")
    await tab.await_answer("stopped")
    assert await model.until_disconnected()
    await expect(tab.answer_text).to_have_text("Half a")
    await expect(tab.answer).to_contain_text("Stopped")
    await expect(tab.stop).to_be_hidden()
    await expect(tab.send).to_be_visible()
    await tab.page.reload()
    await expect(tab.answer_text).to_have_text("Half a")
    await tab.await_answer("stopped")


async def test_a_stopped_answer_can_be_followed_by_another_question(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("Half a", " thought")
    model.say("A whole one.")
    await tab.begin("Think")
    model.step()
    await expect(tab.answer_text).to_have_text("Half a")
    await tab.composer.press("Escape")
    await tab.await_answer("stopped")
    model.release()
    await tab.say("Go on")
    await expect(tab.answer_text).to_have_text("A whole one.")
