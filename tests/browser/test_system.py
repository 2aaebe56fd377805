"""The page "System" tries a WebSocket from the browser, and explains what keeps it from working."""

import asyncio
import re
from contextlib import suppress

from playwright.async_api import expect

from tests.browser.backstage import Backstage
from tests.browser.conftest import OpenTab
from tests.browser.site import Site
from tests.browser.watch import Watch
from tests.network import Network

ADDRESS = "/settings/system/"
UPGRADE = re.compile(rb"^upgrade:[^\n]*\n", re.IGNORECASE | re.MULTILINE)


class ProxyWithoutUpgrade(Network):
    """Passes requests on without their header `Upgrade`, as a proxy does by default."""

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(UPGRADE.sub(b"", data))
                await writer.drain()
        writer.close()


async def test_a_socket_that_works(open_tab: OpenTab, backstage: Backstage) -> None:
    tab = await open_tab(backstage.administrator())
    await tab.open(ADDRESS)
    await expect(tab.page.locator("#socket-report")).to_contain_text("A WebSocket opens, and its messages arrive.")


async def test_a_proxy_that_passes_no_socket_on(
    open_tab: OpenTab, backstage: Backstage, site: Site, watch: Watch
) -> None:
    with ProxyWithoutUpgrade(site.port) as proxy:
        watch.watch_also(proxy.url)
        watch.expect("WebSocket connection", "status of 404", "ERR_")
        tab = await open_tab(backstage.administrator(), url=proxy.url)
        await tab.open(ADDRESS)
        report = tab.page.locator("#socket-report")
        await expect(report).to_contain_text("the proxy does not pass it on", timeout=15_000)
        await expect(report).to_contain_text("Let the proxy pass the headers Upgrade and Connection")
