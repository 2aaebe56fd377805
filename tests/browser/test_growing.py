"""Long blocks arrive in parts, but read and copy as one."""

from playwright.async_api import expect

from tests.browser.backstage import Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.fakes import ModelServer

ROWS = [f"| {number} | {'some more words ' * (number // 50 * 3)}| {number / 7:.2f} |\n" for number in range(100, 200)]
LINES = [f"total_{number} = {number}\n" for number in range(200)]
PARTS = "() => document.querySelectorAll('.message-body table').length > 2"
HAS_ONE_SET_OF_COLUMNS = """() => {
  const rows = [...document.querySelectorAll(".message-body tr")];
  const columns = rows.map((row) => [...row.cells].map((cell) => Math.round(cell.getBoundingClientRect().left)).join());
  return rows.length > 80 && new Set(columns).size === 1;
}"""


def in_pieces(lines: list[str]) -> list[str]:
    return ["".join(lines[at : at + 10]) for at in range(0, len(lines), 10)]


async def test_a_growing_long_table_has_one_set_of_columns(tab: Tab, model: ModelServer) -> None:
    model.hold()
    model.say("| n | what | seventh |\n|--:|---|--:|\n", *in_pieces(ROWS), "\nThat is all.")
    await tab.begin("In a table, please")
    for number in range(1, 1 + len(in_pieces(ROWS))):
        model.step()
        await expect(tab.answer.locator("tr")).to_have_count(max(1, number * 10 - 9))
    await tab.page.wait_for_function(PARTS)
    await tab.page.wait_for_function(HAS_ONE_SET_OF_COLUMNS)

    await tab.page.set_viewport_size({"width": 700, "height": 700})
    await tab.page.wait_for_function(HAS_ONE_SET_OF_COLUMNS)
    await tab.page.reload()
    await tab.await_connection()
    await tab.page.wait_for_function(PARTS)
    await tab.page.wait_for_function(HAS_ONE_SET_OF_COLUMNS)

    model.release()
    await tab.await_answer()
    await expect(tab.answer.locator("table")).to_have_count(1)
    await expect(tab.answer.locator("tr")).to_have_count(101)


async def test_growing_long_code_is_copied_whole(open_tab: OpenTab, ada: Person, model: ModelServer) -> None:
    tab = await open_tab(ada, permissions=["clipboard-read", "clipboard-write"])
    model.hold()
    model.say("```python\n", *in_pieces(LINES), "```\n")
    await tab.begin("In code, please")
    model.step(1 + len(in_pieces(LINES)))
    await expect(tab.answer.locator(".code")).to_contain_text("total_199")
    await expect(tab.answer.locator(".lines")).to_have_count(4)

    await tab.answer.get_by_role("button", name="Wrap").click()
    await tab.answer.locator(".code").get_by_role("button", name="Copy").click()
    await expect(tab.answer.get_by_role("button", name="Copied")).to_be_visible()
    assert await tab.page.evaluate("navigator.clipboard.readText()") == "".join(LINES)
    await tab.page.evaluate("getSelection().selectAllChildren(document.querySelector('.code code'))")
    assert await tab.page.evaluate("getSelection().toString()") == "".join(LINES).removesuffix("\n")

    model.release()
    await tab.await_answer()
