"""A connection that dies without a word is noticed and replaced soon; one that only sleeps is left alone."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from conversations.consumers import BEHIND
from tests.browser.backstage import Backstage, Person
from tests.browser.conftest import OpenTab
from tests.browser.site import Site
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer
from tests.network import Network

NOTICED_WITHIN, BACK_WITHIN = 10_000, 3_000
"""Milliseconds: what we promise."""
COUNT_NOTICES = """
    window.notices = 0;
    new MutationObserver(() => { if (!document.getElementById("connection").hidden) notices++; })
        .observe(document.getElementById("connection"), {attributes: true});
"""
HIDE = """(isHidden) => {
    Object.defineProperty(document, "hidden", {value: isHidden, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def network(site: Site, watch: Watch) -> Iterator[Network]:
    with Network(site.port) as network:
        watch.watch_also(network.url)
        watch.expect("WebSocket connection", "ERR_", "Failed to fetch")
        yield network


async def await_probes(page: Page, count: int) -> None:
    for _ in range(count):
        await page.wait_for_event("request", lambda request: request.url.endswith("/healthz"))


async def test_a_dead_network_is_noticed_and_its_return_too(
    open_tab: OpenTab, ada: Person, ben: Person, backstage: Backstage, network: Network, model: ModelServer
) -> None:
    model.say("Good morning to you.")
    address = backstage.conversation(ada, "Words", ["Hello"], ["Hello."])
    backstage.join(address, ben)
    tab, bens = await open_tab(ada, url=network.url), await open_tab(ben)
    await tab.open(address)
    await bens.open(address)
    await tab.await_connection()
    await bens.await_connection()

    network.cut()
    begin = time.monotonic()
    await expect(tab.connection).to_be_visible(timeout=NOTICED_WITHIN)
    noticed = time.monotonic() - begin
    await bens.say("Good morning")
    await bens.await_answer()
    # The page has looked for the site several times by then.
    await await_probes(tab.page, 5)
    network.restore()
    begin = time.monotonic()
    await expect(tab.page.locator(":root")).to_have_attribute("data-connection", "open", timeout=BACK_WITHIN)
    print(f"\nnoticed after {noticed:.1f} s, back after {time.monotonic() - begin:.1f} s")
    await expect(tab.connection).to_be_hidden()
    await expect(tab.answer_text).to_have_text("Good morning to you.")


async def test_a_network_that_wakes_up_is_tried_at_once(
    open_tab: OpenTab, ada: Person, backstage: Backstage, network: Network
) -> None:
    tab = await open_tab(ada, url=network.url)
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    for event in ("window.dispatchEvent(new Event('online'))", f"({HIDE})(false)"):
        network.cut()
        await tab.page.evaluate(event)
        begin = time.monotonic()
        await expect(tab.connection).to_be_visible(timeout=NOTICED_WITHIN)
        assert time.monotonic() - begin < 5, "the page asks at once, and not only after its usual silence"
        network.restore()
        await tab.page.evaluate(event)
        await expect(tab.page.locator(":root")).to_have_attribute("data-connection", "open", timeout=BACK_WITHIN)


async def test_a_page_that_slept_or_whose_timers_are_throttled_shows_nothing(
    tab: Tab, ada: Person, backstage: Backstage
) -> None:
    await tab.page.clock.install()
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.page.evaluate(COUNT_NOTICES)
    for asleep in (61_000, 61_000, 3_600_000, 61_000, 3_600_000):
        # Two in a row: the second one comes before the page has seen the answer to its question.
        await tab.page.evaluate(f"window.asleep = {asleep}")
        await tab.page.clock.fast_forward(asleep)
        await tab.page.clock.fast_forward(61_000)
        async with tab.page.expect_event("console", lambda message: message.text == "answered"):
            await tab.page.evaluate("""
                sockets.at(-1).addEventListener("message", () => console.log("answered"), {once: true});
                sockets.at(-1).send('{"type":"ping"}');
            """)
    assert await tab.page.evaluate("[notices, sockets.length]") == [0, 1]


async def test_a_hidden_page_says_nothing_until_somebody_looks_at_it(
    open_tab: OpenTab, ada: Person, backstage: Backstage, network: Network
) -> None:
    tab = await open_tab(ada, url=network.url)
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await tab.await_connection()
    await tab.page.evaluate(COUNT_NOTICES)
    await tab.page.evaluate(HIDE, True)
    network.cut()
    await tab.page.evaluate("window.dispatchEvent(new Event('online'))")
    await await_probes(tab.page, 1)
    assert await tab.page.evaluate("notices") == 0
    await tab.page.evaluate(HIDE, False)
    await expect(tab.connection).to_be_visible(timeout=NOTICED_WITHIN)
    network.restore()
    await tab.await_connection()
    await expect(tab.connection).to_be_hidden()


async def test_a_tab_too_many_says_so_and_does_not_try_again(tab: Tab, ada: Person, backstage: Backstage) -> None:
    attempts: list[str] = []

    async def close(socket: WebSocketRoute) -> None:
        attempts.append(socket.url)
        await socket.close(code=4429)

    await tab.page.route_web_socket("**/ws/**", close)
    await tab.open(backstage.conversation(ada, "Words", ["Hello"], ["Hello."]))
    await expect(tab.connection).to_contain_text("too many tabs open")
    await tab.composer.fill("Still here")
    for event in (
        "new Event('online')",
        "new Event('offline')",
        "new PageTransitionEvent('pageshow', {persisted: true})",
    ):
        await tab.page.evaluate(f"window.dispatchEvent({event})")
    await asyncio.gather(*(tab.page.evaluate(HIDE, hidden) for hidden in (True, False)))
    assert len(attempts) == 1
    await expect(tab.composer).to_have_value("Still here")


async def test_the_back_button_brings_a_live_page_back(tab: Tab, ada: Person, backstage: Backstage) -> None:
    here, there = backstage.conversations(ada, ["Here", "There"])
    await tab.open(here)
    await tab.await_connection()
    await tab.row("There").get_by_role("link").click()
    await expect(tab.title).to_have_value("There")
    await tab.page.go_back()
    await expect(tab.title).to_have_value("Here")
    await tab.await_connection()
    await expect(tab.connection).to_be_hidden()


async def test_a_page_that_lost_updates_loads_its_list_again(open_tab: OpenTab, ada: Person) -> None:
    tab = await open_tab(ada)
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    await tab.page.route_web_socket("**/ws/**", pass_on)
    await tab.open()
    await tab.await_connection()
    async with tab.page.expect_response(lambda answer: answer.url.endswith("/conversations/")):
        for _ in range(3):
            sockets[0].send(BEHIND)
