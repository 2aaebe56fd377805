"""Failures of the model's server: the error, the state of the message, and the text received so far."""

import pytest
from playwright.async_api import expect

from tests.browser.tab import Tab
from tests.fakes import ModelServer
from tests.steps import Abort, Answer, Gate
from tests.wires import reply_wire
from upstreams.endpoint import ProtocolName


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, "authentication_error", "rejected the API key"),
        (429, "rate_limit_error", "is limiting requests from this server"),
        (500, "api_error", "reported an internal error"),
    ],
)
async def test_a_refusal_is_explained_and_quoted(
    status: int, kind: str, words: str, tab: Tab, model: ModelServer
) -> None:
    model.refuse(status, kind, "Told by the <b>server</b>.")
    await tab.begin("Hello?")
    await tab.await_answer("failed")
    alert = tab.answer.locator(".notice")
    await expect(alert).to_contain_text("No answer.")
    await expect(alert).to_contain_text(words)
    await alert.get_by_text("Server response").click()
    await expect(alert.get_by_text("Told by the <b>server</b>.")).to_be_visible()
    await expect(tab.own).to_contain_text("Hello?")
    await tab.page.reload()
    await expect(alert).to_contain_text(words)

    model.forget()
    model.say("Here I am.")
    await tab.say("Are you there?")
    await expect(tab.answer_text).to_have_text("Here I am.")


async def test_a_connection_that_breaks_before_the_first_word_fails_the_answer(tab: Tab, model: ModelServer) -> None:
    model.answer(Answer([], before=[Abort()]))
    await tab.begin("Hello?")
    await tab.await_answer("failed")
    await expect(tab.answer.locator(".notice")).to_contain_text("No answer.")
    await expect(tab.answer_text).to_be_empty()


async def test_a_connection_that_breaks_after_some_words_keeps_the_words(tab: Tab, model: ModelServer) -> None:
    cut = Gate()
    wire = reply_wire(ProtocolName.ANTHROPIC, ["Half a ", "**thought**", " lost"])
    model.stream(*wire[:4], cut, Abort())
    await tab.begin("Hello?")
    await expect(tab.answer_text.locator("strong")).to_have_text("thought")
    cut.open()
    await tab.await_answer("interrupted")
    await expect(tab.answer).to_contain_text("Interrupted.")
    await expect(tab.answer).to_contain_text("The text received so far is kept.")
    await expect(tab.answer_text).to_have_text("Half a thought")
    await tab.page.reload()
    await expect(tab.answer_text).to_have_text("Half a thought")
    await tab.await_answer("interrupted")
