"""The main task: ask a question, watch the answer grow, return to it."""

import re

from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.tab import Tab
from tests.fakes import ModelServer

RICH = (
    "## Rates\n\nSome **bold** words",
    " and `code`.\n\n",
    "```python\ndef rate(x):\n    return x * 2\n```\n\n",
    "| Day | Rate |\n|:--|--:|\n| Monday | 1.5 |\n\n",
    "- [x] counted\n- [ ] checked\n\n",
    "It is $a^2 + b^2$ in all.\n",
)


async def test_enter_sends_and_opens_the_conversation(tab: Tab, model: ModelServer) -> None:
    model.say("Hello, Ada.")
    await tab.open()
    await expect(tab.composer).to_be_focused()
    await tab.begin("What is *this* about?\nA second line.")
    await expect(tab.messages).to_have_count(2)
    await expect(tab.messages.nth(0)).to_have_attribute("data-role", "user")
    await expect(tab.messages.nth(1)).to_have_attribute("data-role", "assistant")
    await expect(tab.title).to_have_value("What is this about?")
    await expect(tab.page).to_have_title(re.compile(r"What is this about\?"))
    await expect(tab.row("What is this about?")).to_be_visible()
    await expect(tab.answer_text).to_have_text("Hello, Ada.")
    await tab.await_answer()
    assert "What is *this* about?\\nA second line." in model.requests[-1].body.decode()


async def test_shift_enter_adds_a_line(tab: Tab, model: ModelServer) -> None:
    await tab.open()
    await tab.composer.press_sequentially("one")
    await tab.composer.press("Shift+Enter")
    await tab.composer.press_sequentially("two")
    await expect(tab.composer).to_have_value("one\ntwo")
    await expect(tab.page).to_have_url(re.compile("/$"))
    assert model.requests == []


async def test_enter_that_ends_a_composition_does_not_send(tab: Tab, model: ModelServer) -> None:
    await tab.open()
    await tab.composer.fill("にほん")
    await tab.composer.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    await tab.composer.dispatch_event("keydown", {"key": "Enter", "keyCode": 229, "bubbles": True})
    await expect(tab.composer).to_have_value("にほん")
    assert model.requests == []


async def test_the_answer_grows_as_it_is_written(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say(*RICH, thinking=["First I", " consider."])
    await tab.begin("Show me everything")
    await tab.await_answer("running")

    thinking = tab.answer.locator("details.thinking")
    model.step()
    await expect(thinking.locator("summary")).to_contain_text("Thinking")
    await thinking.locator("summary").click()
    await expect(thinking.get_by_text("First I")).to_be_visible()
    model.step()
    await expect(thinking.get_by_text("First I consider.")).to_be_visible()

    model.step()
    await expect(tab.answer.get_by_role("heading", name="Rates")).to_be_visible()
    await expect(tab.answer.locator("strong")).to_have_text("bold")
    await expect(tab.answer.locator("code")).to_have_count(0)
    await tab.await_answer("running")
    model.step(2)
    await expect(tab.answer.locator("p code")).to_have_text("code")
    await expect(tab.answer.locator("pre code")).to_have_text(re.compile(r"def rate\(x\):\s+return x \* 2"))
    model.step()
    await expect(tab.answer.get_by_role("cell", name="Monday")).to_be_visible()
    await tab.await_answer("running")
    model.release()
    await tab.await_answer()
    await expect(thinking.locator("summary")).to_contain_text("Thought")
    await expect(thinking, "What one has opened stays open.").to_have_attribute("open", "")


async def test_a_complete_answer_looks_the_same_after_a_reload(tab: Tab, model: ModelServer) -> None:
    model.say(*RICH, thinking=["Considering."], output_tokens=1234)
    await tab.begin("Show me everything")
    await tab.await_answer()
    await expect_all_parts(tab)
    drawn = await tab.answer_text.inner_html()
    await tab.page.reload()
    await expect_all_parts(tab)
    assert await tab.answer_text.inner_html() == drawn
    await expect(tab.composer).to_have_value("")


async def expect_all_parts(tab: Tab) -> None:
    await expect(tab.answer.locator("details.thinking")).not_to_have_attribute("open", "")
    code = tab.answer.locator(".code")
    await expect(code.get_by_role("button", name="Copy")).to_be_visible()
    keyword = code.locator("pre span", has_text=re.compile("^def$"))
    plain = await code.locator("pre").evaluate("pre => getComputedStyle(pre).color")
    assert await keyword.evaluate("word => getComputedStyle(word).color") != plain
    await expect(tab.answer.get_by_role("columnheader", name="Rate")).to_be_visible()
    await expect(tab.answer.get_by_role("checkbox")).to_have_count(2)
    await expect(tab.answer.get_by_role("checkbox").first).to_be_checked()
    await expect(tab.answer.locator("math")).to_be_visible()
    await expect(tab.answer.locator(".meta > summary")).to_have_text(
        re.compile(r"^\s*Test model\s+· 1,234 tokens\s+· [\d.]+\ss")
    )


async def test_a_second_turn_follows_the_first(tab: Tab, model: ModelServer) -> None:
    model.say("First answer.")
    model.say("Second answer.")
    await tab.begin("First question")
    await tab.await_answer()
    await tab.say("Second question")
    await expect(tab.messages).to_have_count(4)
    await expect(tab.answer_text).to_have_text("Second answer.")
    said = [message["role"] for message in model.requests[-1].json["messages"]]
    assert said == ["user", "assistant", "user"]


async def test_a_turn_posted_during_an_answer_is_queued(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("First answer.")
    model.say("Second answer.")
    await tab.begin("First question")
    await tab.await_answer("running")
    await tab.say("Second question")
    await expect(tab.messages).to_have_count(4)
    await tab.await_answer("queued")
    await expect(tab.answer).to_contain_text("Queued – the previous answer has to finish first")
    model.release()
    await expect(tab.answer_text).to_have_text("Second answer.")
    await expect(tab.messages.nth(1)).to_contain_text("First answer.")


async def test_the_time_of_a_message_stays_relative_when_its_answer_ends(
    tab: Tab, ada: Person, backstage: Backstage, model: ModelServer
) -> None:
    model.say("Here.")
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.say("Well?")
    await tab.await_answer()
    await expect(tab.answer.locator("time")).to_have_text("now")
