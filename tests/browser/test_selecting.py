"""What a reader has selected stays selected while an answer grows and when it ends."""

import pytest
from playwright.async_api import expect

from tests.browser.tab import Tab
from tests.fakes import ModelServer

SELECT = """([words, backwards]) => {
    const body = document.querySelector('article[data-role="assistant"]:last-of-type .message-body');
    const text = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
    let node;
    while ((node = text.nextNode()) && !node.data.includes(words));
    const at = node.data.indexOf(words);
    const ends = [[node, at], [node, at + words.length]];
    if (backwards) ends.reverse();
    getSelection().setBaseAndExtent(...ends[0], ...ends[1]);
}"""
SELECTED = "getSelection().toString()"

ANSWERS = {
    "one paragraph": ["Selecting words", " of a paragraph."],
    "a heading": ["## Selecting words", " in a heading"],
    "a list": ["- Selecting words\n- and", " more\n- still"],
    "a table": ["| a | b |\n|---|---|\n| Selecting words | 2 |\n", "| 3 | 4 |"],
    "code": ["```python\nprint('Selecting words')\n", "def other():\n    return 1\n```"],
    "a quotation": ["> Selecting words\n> and", " more"],
    "emphasis that closes later": ["Selecting words and **bo", "ld** ones"],
    "a paragraph that is followed by others": ["Selecting words here.\n\nA", "nother.\n\nAnd a third."],
    "a loose list": ["- Selecting words\n- two", "\n\n- three"],
    "a formula": ["Selecting words with $x", "^2$ and more"],
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_a_selection_survives_growth_and_the_end_of_an_answer(kind: str, tab: Tab, model: ModelServer) -> None:
    first, rest = ANSWERS[kind]
    model.hold()
    model.say(first, rest)
    await tab.begin("Write")
    model.step()
    await expect(tab.answer_text).to_contain_text("Selecting words")
    await tab.page.evaluate(SELECT, ["Selecting words", kind == "one paragraph"])
    assert await tab.page.evaluate(SELECTED) == "Selecting words"
    model.release()
    await tab.await_answer()
    assert await tab.page.evaluate(SELECTED) == "Selecting words"
    if kind == "one paragraph":
        place = "getSelection().direction ?? 'backward'"
        assert await tab.page.evaluate(place) == "backward", "It can be extended as it was begun."


async def test_a_selection_across_blocks_survives_the_end_of_an_answer(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("First words here.\n\nThen `code`, and last", " words.")
    await tab.begin("Write")
    model.step()
    await expect(tab.answer_text).to_contain_text("and last")
    await tab.page.evaluate(
        """() => {
            const [first, last] = document.querySelectorAll('article[data-role="assistant"] .markdown p');
            getSelection().setBaseAndExtent(first.firstChild, 6, last.lastChild, 5);
        }"""
    )
    before = await tab.page.evaluate(SELECTED)
    assert before.split() == ["words", "here.", "Then", "code,", "and"]
    model.release()
    await tab.await_answer()
    assert (await tab.page.evaluate(SELECTED)).split() == before.split()


async def test_the_end_of_an_answer_keeps_the_elements_of_its_last_block(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("With a [link](https://example.com/) in", " it.")
    await tab.begin("Write")
    model.step()
    link = tab.answer_text.get_by_role("link")
    await link.focus()
    await link.evaluate("it => { window.first = it }")
    model.release()
    await tab.await_answer()
    assert await link.evaluate("it => it === first")
    await expect(link).to_be_focused()
