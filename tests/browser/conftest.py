"""One site, model server and browser for all tests; new people and a new browser profile for each test."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from tests.browser.backstage import Backstage, Person
from tests.browser.site import ADMINISTRATOR, PASSWORD, PLAIN_HOST, Site
from tests.browser.tab import Tab
from tests.browser.watch import Watch
from tests.fakes import ModelServer

HERE = Path(__file__).parent
PATIENCE = 20_000
"""Milliseconds that a page may take on a busy machine."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
]

type OpenTab = Callable[..., Awaitable[Tab]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the tests on the session's event loop, on which the browser runs."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def model_server() -> Iterator[ModelServer]:
    with ModelServer("anthropic") as server:
        server.models = [
            {"id": "test-model", "display_name": "Test model", "max_input_tokens": 200_000},
            {"id": "tiny-model", "display_name": "Tiny model", "max_input_tokens": 8000},
            {"id": "wordy-model", "display_name": "Wordy model", "capabilities": {"image_input": {"supported": False}}},
        ]
        yield server


@pytest.fixture(scope="session")
def site(model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    named = {"DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    upstream = {"ANTHROPIC_BASE_URL": model_server.url, "ANTHROPIC_API_KEY": "key-of-the-test"}
    with Site(tmp_path_factory.mktemp("site"), **named, **upstream) as site:
        yield site


@pytest.fixture(scope="session")
def backstage(site: Site) -> Iterator[Backstage]:
    with Backstage(site) as backstage:
        backstage.await_models()
        yield backstage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    # The headless shell is the same engine without windows. A tab costs a third.
    found = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def model(model_server: ModelServer) -> Iterator[ModelServer]:
    """The model server without prepared answers, requests or held text."""
    model_server.forget()
    model_server.release()
    model_server.requests.clear()
    model_server.asked.clear()
    model_server.disconnected.clear()
    yield model_server
    model_server.release()


@pytest.fixture
def ada(backstage: Backstage) -> Person:
    return backstage.person("Ada Lovelace")


@pytest.fixture
def ben(backstage: Backstage) -> Person:
    return backstage.person("Ben Okri")


@pytest.fixture
def watch(site: Site) -> Iterator[Watch]:
    """Fails the test at its end if something unexpected happened in any tab."""
    watch = Watch(site.url, site.plain_url)
    yield watch
    assert watch.troubles == [], "\n".join(site.console[-60:])


@pytest_asyncio.fixture(loop_scope="session")
async def open_browser(
    browser: Browser, site: Site, watch: Watch
) -> AsyncIterator[Callable[..., Awaitable[BrowserContext]]]:
    """`await open_browser(ada)` is a new browser in which Ada is signed in. Without a person, nobody is."""
    opened: list[BrowserContext] = []

    async def open_one(person: Person | None = None, **options: object) -> BrowserContext:
        usual = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", "timezone_id": "UTC"}
        context = await browser.new_context(**{**usual, **options})  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        await watch.attach(context)
        if person:
            cookie = {"name": "sessionid", "value": person.session, "httpOnly": True, "sameSite": "Lax"}
            await context.add_cookies([{**cookie, "url": url} for url in (site.url, site.plain_url)])  # type: ignore[list-item]
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_tab(open_browser: Callable[..., Awaitable[BrowserContext]], site: Site) -> OpenTab:
    """`await open_tab(ada)` is a tab in a new browser of Ada's."""

    async def open_one(person: Person | None = None, *, url: str = "", **options: object) -> Tab:
        context = await open_browser(person, **options)
        return Tab(await context.new_page(), url or site.url)

    return open_one


@pytest_asyncio.fixture(loop_scope="session")
async def tab(open_tab: OpenTab, ada: Person) -> Tab:
    """Ada's only tab."""
    return await open_tab(ada)
