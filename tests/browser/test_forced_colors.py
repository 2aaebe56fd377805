"""In forced colours, what is on, chosen or filled looks different from what is not."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab

LOOK = """([selector, part, property]) => {
    const shown = [...document.querySelectorAll(selector)].find(it => it.checkVisibility());
    return getComputedStyle(shown, part || null)[property];
}"""


@pytest.fixture
def tools(backstage: Backstage) -> Iterator[str]:
    """The page of a tool server with a tool that is asked about and one that is not."""
    server, _ = backstage.tool("http://127.0.0.1:9/mcp", "echo", ask_first=True)
    backstage.tool("http://127.0.0.1:9/mcp", "picture", ask_first=False)
    yield f"/settings/tools/servers/{server}/"
    backstage.delete_tools()


async def look(tab: Tab, selector: str, property: str = "backgroundColor", part: str = "") -> str:
    return str(await tab.page.evaluate(LOOK, [selector, part, property]))


async def differ(tab: Tab, one: str, other: str, property: str = "backgroundColor", part: str = "") -> bool:
    return await look(tab, one, property, part) != await look(tab, other, property, part)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_states_are_seen_in_forced_colours(
    scheme: str, open_tab: OpenTab, backstage: Backstage, tools: str
) -> None:
    person = backstage.administrator()
    backstage.book_calls(person)
    talk = backstage.conversation(person, "Words", ["Hello " * 20_000], ["```python\nx\n```"])
    backstage.conversation(person, "Others", ["Hello"], ["Hello."])
    tab = await open_tab(person, forced_colors="active", color_scheme=scheme)

    await tab.open(tools)
    on, off = ('.switch[id^="ask"][aria-checked="true"]', '.switch[id^="ask"][aria-checked="false"]')
    assert await differ(tab, on, off)
    for each in (on, off):
        assert await look(tab, each) != await look(tab, each, part="::before"), "The thumb is seen."

    await tab.open("/settings/usage/?by=person")
    assert await differ(tab, ".tabs a[aria-current]", ".tabs a:not([aria-current])", "borderBottomColor")
    assert await differ(tab, ".segments a[aria-current]", ".segments a:not([aria-current])")
    assert await differ(tab, ".meter-part", ".meter-whole", "fill")

    await tab.open(talk)
    assert await differ(tab, ".conversation-link[aria-current]", ".conversation-link:not([aria-current])")
    wrap = tab.answer.get_by_role("button", name="Wrap")
    await wrap.click()
    assert await differ(tab, '.code-head [aria-pressed="true"]', ".code-head [data-copy-code]")
    await expect(tab.page.locator(".gauge-part")).to_be_attached()
    assert await differ(tab, ".gauge-part", ".gauge-track", "stroke")
    assert await look(tab, ".composer-send") != await look(tab, ".composer-send", "color")
