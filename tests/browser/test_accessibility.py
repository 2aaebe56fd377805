"""Accessible names, landmarks, Tab order, visible focus, and pages that never scroll sideways."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab

OPERATED = {
    "button",
    "checkbox",
    "combobox",
    "link",
    "menuitem",
    "radio",
    "slider",
    "switch",
    "textbox",
    "DisclosureTriangle",
}
WIDE = (
    "# A heading\n\n"
    + "word" * 60
    + "\n\n```\n"
    + "code " * 80
    + "\n```\n\n|"
    + " column |" * 20
    + "\n|"
    + "--|" * 20
    + "\n|"
    + " cell |" * 20
    + "\n\n$$"
    + "x_1 + " * 60
    + "x$$\n\nhttps://example.org/"
    + "a" * 200
)
FOCUSED = """() => {
    const it = document.activeElement, shown = getComputedStyle(it), around = it.closest(".composer");
    const outlined = shown.outlineStyle !== "none" && parseFloat(shown.outlineWidth) > 0;
    // The composer is a field by its frame: that is where its focus shows.
    const framed = it.id === "message" && getComputedStyle(around).boxShadow.includes("0px 0px 0px 1px");
    return {
        key: it.id || it.className || it.tagName,
        name: it.getAttribute("aria-label") || it.textContent.trim(),
        is_seen: outlined || framed,
    };
}"""

SIDEWAYS = """() => [document.scrollingElement, ...document.querySelectorAll("main, .scroller, .sidebar")]
    .filter(box => box.scrollWidth > box.clientWidth + 1 && box.checkVisibility()).map(box => box.className)"""
SMALL = """() => [...document.querySelectorAll("button:not(.switch), a.button, select")]
    .filter(it => it.checkVisibility({visibilityProperty: true}) && it.getBoundingClientRect().height < 43.5)
    .map(it => it.getAttribute("aria-label") ?? it.textContent.trim())"""
# The target of a switch is larger than its image.
HARD_TO_PRESS = """() => [...document.querySelectorAll(".switch")]
    .filter(it => {
        it.scrollIntoView({block: "center"});
        const box = it.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
        return [y - 20, y, y + 20].some(at => document.elementFromPoint(x, at) !== it);
    })
    .map(it => it.getAttribute("aria-label"))"""


@pytest.fixture
def conversation(ada: Person, backstage: Backstage) -> str:
    return backstage.conversation(ada, "Words", ["Hello " + "there" * 40, "And?"], ["Hello.", WIDE])


@pytest.fixture
def tool_pages(backstage: Backstage) -> Iterator[list[str]]:
    """The addresses of the list of tool servers, a server's form and tools, and a tool's form."""
    server, tool = backstage.tool("http://127.0.0.1:9/mcp", "echo", ask_first=True, title="Echo")
    at = "/settings/tools/"
    yield [at, f"{at}servers/add/", f"{at}servers/{server}/", f"{at}servers/{server}/edit/", f"{at}{tool}/"]
    backstage.delete_tools()


async def unnamed(tab: Tab) -> list[str]:
    """The controls without an accessible name."""
    session = await tab.page.context.new_cdp_session(tab.page)
    tree = await session.send("Accessibility.getFullAXTree")
    return [
        str(node)
        for node in tree["nodes"]
        if not node["ignored"]
        and node["role"]["value"] in OPERATED
        and not node.get("name", {}).get("value", "").strip()
    ]


async def test_every_control_has_a_name(tab: Tab, conversation: str, open_tab: OpenTab) -> None:
    nobody = await open_tab()
    await nobody.open()
    assert await unnamed(nobody) == []
    for address in ("/", conversation, "/accounts/", "/account/keys/"):
        await tab.open(address)
        assert await unnamed(tab) == []
    await tab.open(conversation)
    await tab.page.get_by_role("link", name="Conversation settings").click()
    await expect(tab.dialog).to_be_visible()
    assert await unnamed(tab) == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
async def test_settings_have_names_and_never_scroll_sideways(
    scheme: str, width: int, open_tab: OpenTab, backstage: Backstage, ada: Person
) -> None:
    backstage.book_calls(ada)
    tab = await open_tab(backstage.administrator(), color_scheme=scheme, viewport={"width": width, "height": 740})
    usage = ("/settings/usage/", "/settings/usage/?by=person&as=table", "/settings/usage/?by=call")
    for address in (*usage, "/settings/budgets/", "/settings/budgets/add/", "/settings/limits/add/", "/settings/keys/"):
        await tab.open(address)
        assert await unnamed(tab) == []
        assert not await tab.page.evaluate("document.querySelector('main').scrollWidth > innerWidth")
        await expect(tab.page.get_by_role("heading", level=1)).to_have_count(1)


async def test_every_page_has_landmarks(tab: Tab, conversation: str) -> None:
    for address, heading in (("/", "How can I help, Ada?"), (conversation, "Words")):
        await tab.open(address)
        await expect(tab.page.get_by_role("main")).to_have_count(1)
        await expect(tab.page.get_by_role("banner")).to_have_count(1)
        await expect(tab.page.get_by_role("navigation", name="Conversations")).to_be_visible()
        await expect(tab.page.get_by_role("heading", level=1).first).to_have_text(heading)
    await expect(tab.log).to_be_visible()
    await expect(tab.messages.first).to_have_accessible_name("Ada Lovelace")
    await tab.page.keyboard.press("Tab")
    await tab.page.get_by_role("link", name="Skip to content").press("Enter")
    await expect(tab.page.get_by_role("main")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_tab_key_reaches_every_control_with_a_visible_focus(
    scheme: str, open_tab: OpenTab, ada: Person, conversation: str
) -> None:
    tab = await open_tab(ada, color_scheme=scheme)
    await tab.open(conversation)
    await tab.page.get_by_role("link", name="Skip to content").focus()
    reached = []
    for _ in range(40):
        await tab.page.keyboard.press("Tab")
        reached.append(await tab.page.evaluate(FOCUSED))
        if reached[-1]["name"] == "Send":
            break
    unseen = [stop for stop in reached if not stop["is_seen"]]
    assert unseen == []
    names = [stop["name"] for stop in reached]
    keys = [stop["key"] for stop in reached]
    assert names.index("Words") < names.index("More for Words") < names.index("Conversation settings")
    assert keys.index("message") < keys.index("model-search") < names.index("Send")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_narrow_page_never_scrolls_sideways(
    scheme: str, open_tab: OpenTab, ada: Person, conversation: str
) -> None:
    tab = await open_tab(
        ada, color_scheme=scheme, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    for address in (
        "/",
        conversation,
        f"{conversation}settings/",
        "/accounts/",
        "/accounts/password/",
        "/account/keys/",
    ):
        await tab.open(address)
        assert await tab.page.evaluate(SIDEWAYS) == []
        assert await tab.page.evaluate("visualViewport.width") >= 359
    await tab.open(conversation)
    assert await tab.page.evaluate(SMALL) == []


async def test_tool_pages_have_names_and_landmarks_and_never_scroll_sideways(
    tool_pages: list[str], open_tab: OpenTab, backstage: Backstage
) -> None:
    small = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    tab = await open_tab(backstage.administrator(), **small)
    for address in tool_pages:
        await tab.open(address)
        await expect(tab.page.get_by_role("main")).to_have_count(1)
        await expect(tab.page.get_by_role("heading", level=1)).to_have_count(1)
        assert await unnamed(tab) == []
        assert await tab.page.evaluate(SIDEWAYS) == []
        assert await tab.page.evaluate(SMALL) == []
        assert await tab.page.evaluate(HARD_TO_PRESS) == []
