"""The view follows a growing answer only while the reader is at its end."""

from playwright.async_api import expect

from tests.browser.tab import Tab
from tests.fakes import ModelServer

SCREENFUL = "".join(f"Line {number}.\n\n" for number in range(60))
AT_END = "() => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 4"


async def test_the_view_follows_a_reader_at_the_end(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say(SCREENFUL, SCREENFUL, "The end.")
    await tab.begin("Tell me much")
    model.step()
    await expect(tab.answer.get_by_text("Line 59.")).to_be_in_viewport()
    model.step(2)
    await expect(tab.answer.get_by_text("The end.")).to_be_in_viewport()
    await tab.await_answer()
    await tab.page.wait_for_function(AT_END)
    await expect(tab.new_text).to_be_hidden()


async def test_a_reader_who_has_scrolled_up_stays_there_and_sees_that_there_is_new_text(
    tab: Tab, model: ModelServer
) -> None:
    model.hold()
    model.say(SCREENFUL, SCREENFUL, "The end.")
    model.say("Short.")
    await tab.begin("Tell me much")
    model.step()
    await expect(tab.answer.get_by_text("Line 59.")).to_be_in_viewport()
    await tab.page.mouse.move(640, 300)
    await tab.page.mouse.wheel(0, -600)
    await tab.page.wait_for_function("() => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight > 400")
    stands_at = await tab.page.evaluate("scroller.scrollTop")
    model.step()
    await expect(tab.new_text).to_be_visible()
    assert await tab.page.evaluate("scroller.scrollTop") == stands_at

    await tab.new_text.click()
    await tab.page.wait_for_function(AT_END)
    await expect(tab.new_text).to_be_hidden()
    await expect(tab.composer).to_be_focused()
    model.step()
    await expect(tab.answer.get_by_text("The end.")).to_be_in_viewport()
    await tab.await_answer()

    model.release()
    await tab.page.mouse.wheel(0, -600)
    await tab.page.wait_for_function("() => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight > 400")
    await tab.say("And shorter?")
    await expect(tab.own.last).to_be_in_viewport()
    await tab.page.wait_for_function(AT_END)
