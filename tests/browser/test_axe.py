"""axe finds nothing on any page, in any state, wide and on a phone, light, dark and in forced colours."""

from collections.abc import Iterator
from importlib import resources

import pytest
from playwright.async_api import expect

from tests import files
from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.tab import Tab
from tests.browser.test_accessibility import WIDE
from tests.browser.watch import Watch
from tests.conversations.answering.tool_wires import calling
from tests.fakes import ModelServer
from tests.tools.drawer import Drawer, running

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
APPEARANCES = {
    "wide, light": {},
    "wide, dark": {"color_scheme": "dark"},
    "wide, forced colours": {"forced_colors": "active"},
    "phone, light": PHONE,
    "phone, dark": {**PHONE, "color_scheme": "dark"},
    "phone, forced colours": {**PHONE, "forced_colors": "active"},
}
KINDS = WIDE * 2 + (
    "\n\n> A quotation\n\n1. One\n2. Two\n\n- [ ] To do\n- [x] Done\n\n### Deeper\n\nA note[^1], <kbd>Esc</kbd>, "
    "`code`, ~~no~~ and $x^2$.\n\n---\n\n<details><summary>More</summary>\n\nInside\n\n</details>\n\n[^1]: The note.\n"
)
RUN = """async () => {
    // What fades in has no contrast yet.
    await Promise.all(document.getAnimations().filter(it => it.effect.getComputedTiming().endTime < Infinity)
        .map(it => it.finished.catch(() => {})));
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, html, failureSummary }) => `${id}: ${target} ${html.slice(0, 200)} ${failureSummary}`));
}"""


@pytest.fixture(scope="module")
def drawer() -> Iterator[Drawer]:
    with running() as drawer:
        yield drawer


@pytest.fixture(params=APPEARANCES.values(), ids=APPEARANCES.keys())
def appearance(request: pytest.FixtureRequest) -> dict[str, object]:
    return dict(request.param)


@pytest.fixture(scope="session")
def axe() -> str:
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text()


class Examiner:
    """Collects what axe finds in a tab, with the state in which it found it."""

    def __init__(self, tab: Tab, axe: str) -> None:
        self.tab, self._axe = tab, axe
        self.findings: list[str] = []

    async def examine(self, state: str) -> None:
        # Not a script element, which the content security policy would refuse.
        await self.tab.page.evaluate(self._axe)
        self.findings += [f"{state} – {finding}" for finding in await self.tab.page.evaluate(RUN)]

    async def open(self, *addresses: str) -> None:
        for address in addresses:
            await self.tab.open(address)
            await self.examine(address)


async def test_pages_of_people(
    open_tab: OpenTab, ada: Person, backstage: Backstage, axe: str, appearance: dict[str, object], watch: Watch
) -> None:
    watch.expect("status of 404", "status of 422")
    nobody = Examiner(await open_tab(None, **appearance), axe)
    await nobody.open("/")
    await nobody.tab.page.get_by_role("button", name="Sign in").click()
    await nobody.examine("sign-in refused")

    examiner = Examiner(await open_tab(ada, **appearance), axe)
    talk = backstage.conversation(ada, "Words", ["Hello", "And?"], ["Hello.", KINDS])
    backstage.book_calls(ada)
    forms = [f"{talk}{page}/" for page in ("settings", "members", "title")]
    accounts = ("/accounts/", "/accounts/password/", "/account/keys/")
    usage = ("/account/usage/", "/account/usage/?by=call", "/account/usage/?as=table")
    await examiner.open("/", talk, *forms, *accounts, *usage, "/nowhere/", "/accounts/logout/")
    backstage.delete_conversation(backstage.conversation(ada, "Gone", ["Hello"], ["Hello."]))
    await examiner.open("/deleted/", "/conversations/new/settings/")
    assert not nobody.findings + examiner.findings, "\n".join(nobody.findings + examiner.findings)


async def test_pages_of_administrators(
    open_tab: OpenTab, ada: Person, backstage: Backstage, axe: str, appearance: dict[str, object], drawer: Drawer
) -> None:
    server, tool = backstage.tool(drawer.url, "echo", ask_first=True, title="Echo", description="Says it again.")
    talk = backstage.conversation(ada, "Words", ["Hello"], [KINDS])
    backstage.book_calls(ada)
    examiner = Examiner(await open_tab(backstage.administrator(), **appearance), axe)
    providers = [f"/settings/providers/{page}" for page in ("", "add/", "1/", "1/edit/", "1/models/add/")]
    at = "/settings/tools/"
    tools = [at, f"{at}servers/add/", f"{at}servers/{server}/", f"{at}servers/{server}/edit/", f"{at}{tool}/"]
    usage = [f"/settings/usage/{query}" for query in ("", "?by=person", "?by=person&as=table", "?by=call")]
    backstage.log_error("no tea " * 20, "req_8c1f0a2e4b6d8f00")
    errors = [f"/settings/errors/{query}" for query in ("", "?resolved", "?reference=req_8c1f", "?reference=unknown")]
    budgets = ("/settings/budgets/", "/settings/budgets/add/", "/settings/limits/add/")
    others = ("/settings/system/", "/settings/keys/", *budgets)
    admin = [f"/admin/{page}" for page in ("", "accounts/user/", "accounts/user/add/", "conversations/conversation/")]
    try:
        await examiner.open(*providers, "/settings/models/1/", *tools, *usage, *errors, *others, *admin)
        await examiner.tab.open("/settings/errors/")
        await examiner.tab.page.get_by_role("link", name="ValueError").click()
        await examiner.examine("an error")
        await examiner.open(f"/admin/conversations/conversation/{talk.split('/')[2]}/change/")
    finally:
        backstage.delete_tools()
    assert not examiner.findings, "\n".join(examiner.findings)


async def test_states_of_a_conversation(
    open_tab: OpenTab,
    ada: Person,
    backstage: Backstage,
    axe: str,
    appearance: dict[str, object],
    drawer: Drawer,
    model: ModelServer,
) -> None:
    backstage.tool(drawer.url, "echo", ask_first=True, title="Echo")
    try:
        findings = await examine_conversation(
            Examiner(await open_tab(ada, **appearance), axe),
            backstage.conversation(ada, "Words", ["Hello"], ["Hello."]),
            backstage,
            model,
        )
    finally:
        backstage.delete_tools()
    assert not findings, "\n".join(findings)


async def examine_conversation(examiner: Examiner, address: str, backstage: Backstage, model: ModelServer) -> list[str]:
    backstage.choose_tools(address, "echo")
    await examiner.tab.open(address)
    await examiner.tab.await_connection()
    await examine_answers(examiner, model)
    await examine_dialogs(examiner)
    await examine_menus(examiner)
    return examiner.findings


async def examine_answers(examiner: Examiner, model: ModelServer) -> None:
    tab, page = examiner.tab, examiner.tab.page
    model.stream(*calling(model.protocol, ("toolu_1", "drawer__echo", {"text": "a kettle"}), thinking="Hm."))
    await page.get_by_label("Attach files").set_input_files(
        [
            {"name": "sea.png", "mimeType": "image/png", "buffer": files.image("png")},
            {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"notes"},
        ]
    )
    await expect(page.locator(".draft:not([data-uploading])")).to_have_count(2)
    await examiner.examine("files attached")
    await tab.say("What does it say?")
    await tab.await_answer("waiting")
    await examiner.examine("waiting for permission")

    model.forget()
    model.say("Half an ", "answer ", "of it", thinking=("Let me see",))
    model.hold()
    await tab.answer.get_by_role("button", name="Allow once").click()
    model.step(2)
    await expect(tab.answer_text).to_contain_text("Half an")
    await examiner.examine("running")
    await tab.stop.click()
    await tab.await_answer("stopped")
    for details in await tab.answer.locator("summary").all():
        await details.click()
    await examiner.examine("stopped, details open")
    model.release()

    model.forget()
    model.refuse(500, "api_error", "Broken")
    await tab.say("And now?")
    await tab.await_answer("failed")
    await examiner.examine("failed")
    await tab.own.last.get_by_role("button", name="Edit").click()
    await examiner.examine("editing")
    await page.get_by_role("link", name="Cancel").click()


async def examine_dialogs(examiner: Examiner) -> None:
    tab, page = examiner.tab, examiner.tab.page
    for opener in ("Conversation settings", "Members"):
        await page.locator(f"[aria-label='{opener}']").click()
        await expect(tab.dialog).to_be_visible()
        await examiner.examine(f"dialog {opener}")
        await page.keyboard.press("Escape")
    for keys, name in (("Control+k", "Find a conversation"), ("Control+/", "Keyboard shortcuts")):
        await page.keyboard.press(keys)
        await expect(page.get_by_role("dialog", name=name)).to_be_visible()
        await examiner.examine(name)
        await page.keyboard.press("Escape")
    await page.locator("[aria-label='Conversation settings']").click()
    await tab.dialog.get_by_role("textbox").first.fill("Be brief")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    await examiner.examine("changes to discard")
    await page.get_by_role("button", name="Discard", exact=True).click()


async def examine_menus(examiner: Examiner) -> None:
    tab, page = examiner.tab, examiner.tab.page
    await tab.model.click()
    await expect(page.get_by_role("listbox", name="Models")).to_be_visible()
    await examiner.examine("menu of models")
    await tab.model.fill("nothing like it")
    await expect(page.get_by_text("No model matches.")).to_be_visible()
    await examiner.examine("no model found")
    await page.keyboard.press("Escape")
    await tab.composer.fill("w" * 200_000)
    await expect(page.get_by_role("button", name="Attach it as a file")).to_be_visible()
    await examiner.examine("a long text")
    await tab.composer.fill("")
    await page.locator(".page-head [popovertarget=jump]").click()
    await examiner.examine("menu of dates")
    await page.keyboard.press("Escape")
    await tab.answer.get_by_role("button", name="More").click()
    await examiner.examine("menu of a message")
    await page.keyboard.press("Escape")
    await page.locator("[data-sidebar-toggle]:visible").first.click()
    await examiner.examine("sidebar toggled")
