"""The gauge of the context window, and the offers when it is full."""

import re

from playwright.async_api import Locator, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import CONVERSATION, Tab
from tests.fakes import ModelServer

LONG = "Some words about tea and the weather, at length. " * 40
TURNS = 10


def gauge(tab: Tab) -> Locator:
    return tab.page.get_by_role("button", name=re.compile("^Context: "))


def offer(tab: Tab) -> Locator:
    return tab.page.get_by_role("form", name="The next message may not fit.")


def talk(backstage: Backstage, person: Person) -> str:
    said, answered = ([f"{kind} {number}. {LONG}" for number in range(TURNS)] for kind in ("Question", "Answer"))
    return backstage.conversation(person, "Tea", said, answered)


async def open_full(tab: Tab, backstage: Backstage, ada: Person, small: str) -> None:
    await tab.open(talk(backstage, ada))
    await tab.await_connection()
    await expect(gauge(tab)).to_contain_text("of 200k")
    await expect(offer(tab)).to_be_hidden()
    await tab.choose_model(small)
    await expect(offer(tab)).to_be_visible()


async def test_the_gauge_follows_the_turns_and_the_model(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Yes.", input_tokens=50_000, output_tokens=50_000)
    await tab.open(talk(backstage, ada))
    await tab.await_connection()
    await expect(gauge(tab)).to_contain_text(re.compile(r"≈.5.% of 200k"))
    await tab.say("And now?")
    await tab.await_answer()
    await expect(gauge(tab)).to_contain_text(re.compile(r"≈.50.% of 200k"))
    await tab.choose_model("Tiny model")
    await expect(gauge(tab)).to_contain_text(re.compile(r"of 8k"))
    await gauge(tab).click()
    await expect(tab.page.locator("#context-more")).to_contain_text("This is an estimate")


async def test_the_gauge_counts_the_typed_text(tab: Tab, ada: Person, backstage: Backstage, model: ModelServer) -> None:
    await tab.open(backstage.conversation(ada, "Tea", ["Tea?"], ["Yes."]))
    await tab.choose_model("Tiny model")
    await expect(gauge(tab)).to_contain_text("of 8k")
    await expect(offer(tab)).to_be_hidden()
    await tab.composer.fill("tea " * 5000)
    await expect(offer(tab)).to_be_visible()
    await tab.composer.fill("tea")
    await expect(offer(tab)).to_be_hidden()


async def test_everyone_sees_where_the_oldest_turns_are_left_out(
    tab: Tab, open_tab: OpenTab, ada: Person, ben: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Yes.")
    await open_full(tab, backstage, ada, "Tiny model")
    where = "/conversations/" + tab.page.url.split("/conversations/")[1]
    backstage.join(where, ben)
    bens = await open_tab(ben)
    await bens.open(where)
    await bens.await_connection()
    await offer(tab).get_by_role("checkbox", name="Always do this").check()
    await offer(tab).get_by_role("button", name="Drop the oldest messages from context").click()
    for each in (tab, bens):
        await expect(each.log.get_by_text("Messages above are no longer in context")).to_have_count(1)
    await expect(offer(tab)).to_be_hidden()
    await expect(tab.messages).to_have_count(2 * TURNS)
    await tab.say("And now?")
    await tab.await_answer()
    assert b"Question 0." not in model.requests[-1].body and b"Answer 9." in model.requests[-1].body
    await tab.log.get_by_role("button", name="Restore the full context").click()
    for each in (tab, bens):
        await expect(each.log.get_by_text("Messages above are no longer in context")).to_have_count(0)


async def test_an_answer_refused_for_its_length_can_be_retried_without_the_oldest_turns(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.refuse(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    model.say("Yes.")
    await tab.open(talk(backstage, ada))
    await tab.await_connection()
    await tab.say("And now?")
    await tab.await_answer("failed")
    await tab.answer.get_by_role("button", name="Drop the oldest messages and retry").click()
    await expect(tab.page).to_have_url(re.compile(r"\?branch=\d+$"))
    await tab.await_answer()
    await expect(tab.answer_text).to_have_text("Yes.")
    assert b"Question 0." not in model.requests[-1].body


async def test_a_new_conversation_begins_with_a_summary(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("In short: tea.")
    await open_full(tab, backstage, ada, "Tiny model")
    before = tab.page.url
    await offer(tab).get_by_role("button", name="Summarise into a new conversation").click()
    await expect(tab.page).not_to_have_url(before)
    await expect(tab.page).to_have_url(CONVERSATION)
    await expect(tab.title).to_have_value("Tea, continued")
    await expect(tab.answer_text).to_have_text("In short: tea.")
    await expect(tab.own).to_contain_text("Summarise it")


async def test_the_gauge_fits_into_the_composer_on_a_phone(
    open_tab: OpenTab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    tab = await open_tab(ada, viewport={"width": 360, "height": 740}, has_touch=True)
    await open_full(tab, backstage, ada, "Tiny model")
    too_wide = "(foot) => foot.scrollWidth - foot.clientWidth"
    assert await tab.page.locator(".composer-foot").evaluate(too_wide) == 0
    assert await tab.page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
