"""What a screen reader says about answers: that one has begun, and how it ended. Not its words as they come."""

from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.fakes import ModelServer

LISTEN = """() => {
    window.heard = [];
    const region = document.querySelector("#answer-status");
    new MutationObserver(() => heard.push(region.textContent)).observe(region, { childList: true });
}"""
LIVE = "#scroller :is([role=status], [role=alert], [aria-live]:not([aria-live=off]))"


async def listen(tab: Tab, address: str) -> None:
    """Opens a conversation and records what the status region says. It is there, and empty, before it says anything."""
    await tab.open(address)
    await tab.await_connection()
    await expect(tab.page.get_by_role("status").and_(tab.page.locator("#answer-status"))).to_be_empty()
    await tab.page.evaluate(LISTEN)


async def heard(tab: Tab) -> list[str]:
    return list(await tab.page.evaluate("heard"))


async def test_an_answer_is_announced_when_it_begins_and_when_it_ends(
    tab: Tab, ada: Person, open_tab: OpenTab, backstage: Backstage, model: ModelServer
) -> None:
    elsewhere = await open_tab(ada)
    await listen(elsewhere, backstage.conversation(ada, "Elsewhere", ["Hello"], ["Hello."]))
    await listen(tab, backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    model.hold()
    model.say("One ", "two ", "three")
    await tab.say("Count")
    status = tab.page.locator("#answer-status")
    await expect(status).to_have_text("Test model is answering")
    for words in ("One", "One two"):
        model.step()
        await expect(tab.answer_text).to_have_text(words)
        assert await tab.page.locator(LIVE).count() == 0
    model.release()
    await expect(status).to_have_text("Answer finished")
    assert await heard(tab) == ["Test model is answering", "Answer finished"]
    await expect(elsewhere.row("Words")).to_be_visible()
    assert await heard(elsewhere) == []


async def test_a_stopped_and_a_failed_answer_are_announced_as_such(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    await listen(tab, backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    status = tab.page.locator("#answer-status")
    model.hold()
    model.say("One ", "two")
    await tab.say("Count")
    model.step()
    await expect(tab.answer_text).to_have_text("One")
    await tab.stop.click()
    await expect(status).to_have_text("Answer stopped")
    model.release()
    model.forget()
    model.refuse(500, "api_error", "Broken")
    await tab.say("Again")
    await expect(status).to_contain_text("No answer.")
    await expect(status).to_contain_text("reported an internal error")
    assert await tab.page.locator(LIVE).count() == 0
    assert [words.split(".")[0] for words in await heard(tab)] == [
        "Test model is answering",
        "Answer stopped",
        "Test model is answering",
        "No answer",
    ]


async def test_messages_of_others_are_announced_and_a_page_that_opens_late_hears_of_the_running_answer(
    tab: Tab, ada: Person, ben: Person, open_tab: OpenTab, backstage: Backstage, model: ModelServer
) -> None:
    address = backstage.conversation(ada, "Words", ["Hello"], ["Hello."])
    backstage.join(address, ben)
    await listen(tab, address)
    bens = await open_tab(ben)
    await bens.open(address)
    await bens.await_connection()
    model.hold()
    model.say("One ", "two")
    await bens.say("Count")
    model.step()
    await expect(tab.answer_text).to_have_text("One")
    assert await heard(tab) == ["New message from Ben Okri", "Test model is answering"]
    await bens.page.reload()
    await expect(bens.page.locator("#answer-status")).to_have_text("Test model is answering")
    await bens.say("And on")
    queued = "The answer is queued: the previous one has to finish first"
    await expect(tab.page.locator("#answer-status")).to_have_text(queued)
    model.release()
    for each in (tab, bens):
        await expect(each.page.locator("#answer-status")).to_have_text("Answer finished")


async def test_messages_are_headings(tab: Tab, ada: Person, backstage: Backstage) -> None:
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    for name in ("Ada Lovelace", "Test model"):
        await expect(tab.log.get_by_role("heading", name=name, level=2)).to_be_visible()
