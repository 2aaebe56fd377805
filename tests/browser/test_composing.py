"""The message field loses no text and sends nothing twice."""

import asyncio

from playwright.async_api import Route, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer


async def test_a_refused_text_stays_in_the_field(tab: Tab, model: ModelServer, watch: Watch) -> None:
    watch.expect("status of 422")
    await tab.open()
    too_long = "word " * 40_001
    await tab.composer.fill(too_long)
    await tab.send.click()
    await expect(tab.errors).to_contain_text("Too long: 200,005 of at most 200,000 characters")
    await expect(tab.composer).to_have_value(too_long)
    assert model.requests == []


async def test_an_empty_message_is_not_sent(tab: Tab, model: ModelServer) -> None:
    await tab.open()
    await tab.composer.press_sequentially("  ")
    await tab.composer.press("Enter")
    await expect(tab.composer).to_have_value("  ")
    await expect(tab.errors).to_be_hidden()


async def test_an_unreachable_server_is_reported_and_the_text_stays(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer, watch: Watch
) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "htmx:ws:error")
    model.say("Here I am.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.page.context.set_offline(True)
    await tab.composer.fill("Are you there?")
    await tab.composer.press("Enter")
    await expect(tab.errors).to_contain_text("could not be reached")
    await expect(tab.composer).to_have_value("Are you there?")
    await tab.page.context.set_offline(False)
    await tab.composer.press("Enter")
    await expect(tab.own).to_have_count(2)
    await expect(tab.composer).to_have_value("")
    await expect(tab.errors).to_be_hidden()
    await expect(tab.answer_text).to_have_text("Here I am.")


async def test_an_unreachable_server_that_is_back_is_not_called_unreachable(
    tab: Tab, ada: Person, backstage: Backstage, watch: Watch
) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "htmx:ws:error")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.lose_connection()
    await tab.composer.fill("Are you there?")
    await tab.composer.press("Enter")
    await expect(tab.errors).to_contain_text("could not be reached")
    await tab.page.context.set_offline(False)
    await expect(tab.errors).to_be_hidden()
    await expect(tab.composer).to_have_value("Are you there?")


async def test_the_answer_to_an_earlier_request_does_not_mean_that_the_server_is_back(
    tab: Tab, ada: Person, backstage: Backstage, watch: Watch
) -> None:
    watch.expect("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "htmx:ws:error")
    asked, lost = asyncio.Event(), asyncio.Event()

    async def answer_late(route: Route) -> None:
        asked.set()
        await lost.wait()
        await route.fulfill(status=204)

    await tab.page.route("**/context/**", answer_late)
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.composer.fill("Are you there?")
    await asked.wait()
    await tab.lose_connection()
    await tab.composer.press("Enter")
    await expect(tab.errors).to_contain_text("could not be reached")
    await tab.page.evaluate(
        """() => {
            window.answered = new Promise((resolve) => context.addEventListener("htmx:after:request", resolve));
        }"""
    )
    lost.set()
    await tab.page.evaluate("answered.then(() => true)")
    await expect(tab.errors).to_contain_text("could not be reached")


async def test_a_very_long_text_can_be_attached_instead(tab: Tab, model: ModelServer) -> None:
    model.say("I have read it.")
    await tab.open()
    offer = tab.page.get_by_role("button", name="Attach it as a file")
    await tab.composer.fill("w" * 199_999)
    await expect(offer).to_be_hidden()
    long = "\N{WINKING FACE}" + "wordy " * 35_000
    await tab.composer.fill(long)
    await expect(tab.page.locator("#long-text")).to_contain_text("210,001 characters")
    await offer.click()
    await expect(tab.page.locator(".draft:not([data-uploading])")).to_have_count(1)
    await expect(tab.composer).to_have_value("")
    await expect(offer).to_be_hidden()
    await expect(tab.composer).to_be_focused()
    await tab.composer.fill("What is this?")
    await tab.composer.press("Enter")
    await tab.await_answer()
    assert str(model.requests[-1].json["messages"]).count("wordy ") >= 35_000


async def test_a_text_too_long_for_a_file_stays_in_the_field(tab: Tab, watch: Watch) -> None:
    watch.expect("status of 422")
    await tab.open()
    too_long = "w" * 600_000
    await tab.composer.fill(too_long)
    await tab.page.get_by_role("button", name="Attach it as a file").click()
    await expect(tab.errors).to_contain_text("pasted-text.txt")
    await expect(tab.composer).to_have_value(too_long)
    await expect(tab.page.locator(".draft")).to_have_count(0)


async def test_pressing_enter_twice_posts_one_turn(tab: Tab, model: ModelServer) -> None:
    twice = """field => {
        for (const press of [1, 2]) {
            field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
        }
    }"""
    model.say("One answer.")
    await tab.open()
    await tab.composer.fill("First")
    await tab.composer.evaluate(twice)
    await tab.await_answer()
    await expect(tab.rows).to_have_count(1)
    await expect(tab.messages).to_have_count(2)
    await tab.await_connection()
    await tab.composer.fill("Second")
    await tab.composer.evaluate(twice)
    await expect(tab.messages).to_have_count(4)
    await tab.await_answer()
    await tab.page.reload()
    await expect(tab.messages).to_have_count(4)
    assert len([request for request in model.requests if request.method == "POST"]) == 2


async def test_the_field_grows_with_its_text_up_to_a_limit(tab: Tab) -> None:
    await tab.open()
    one_line = (await tab.composer.bounding_box() or {})["height"]
    await tab.composer.fill("\n".join("line" for _ in range(5)))
    assert (await tab.composer.bounding_box() or {})["height"] > 2 * one_line
    await tab.composer.fill("\n".join("line" for _ in range(200)))
    assert (await tab.composer.bounding_box() or {})["height"] <= 0.41 * 800
    await expect(tab.send).to_be_in_viewport()
