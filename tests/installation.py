"""A site with a model server and an administrator's browser, which a test can start, signal and start again."""

import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Self

import httpx

from tests.browser.site import ADMINISTRATOR, PASSWORD, Site
from tests.certificates import Certificate
from tests.fakes import ModelServer
from tests.pages import Page

PATIENCE = 20.0


class Installation:
    """A site that a test can start and end, with a model server and an administrator's browser."""

    site_type = Site

    def __init__(self, data: Path, server: ModelServer) -> None:
        self.data, self.server = data, server
        self.http = httpx.Client(timeout=PATIENCE)
        self.site: Site | None = None

    def start(self) -> None:
        self.site = self.site_type(
            self.data,
            ANTHROPIC_BASE_URL=self.server.url,
            ANTHROPIC_API_KEY="key-of-the-test",
            DJANGO_SUPERUSER_USERNAME=ADMINISTRATOR,
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )
        self.site.__enter__()
        self.http.base_url = self.site.url

    def end(self, signal_number: signal.Signals) -> int:
        """Signals the site and returns its exit status."""
        assert self.site
        self.site.process.send_signal(signal_number)
        return self.site.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        self.start()
        self.http.get("/accounts/login/")
        self.post("/accounts/login/", login=ADMINISTRATOR, password=PASSWORD)
        until(lambda: self.page("/").find("#model option"))
        return self

    def __exit__(self, *_: object) -> None:
        if self.site:
            print(*self.site.console, sep="\n")
            self.site.process.kill()
            self.site.__exit__()
        self.http.close()

    def page(self, address: str) -> Page:
        answer = self.http.get(address)
        assert answer.status_code == 200, (answer.status_code, self.site and self.site.console)
        return Page(answer.text)

    def post(self, address: str, **fields: str) -> httpx.Response:
        answer = self.http.post(address, data=fields, headers={"x-csrftoken": self.http.cookies["csrftoken"]})
        assert answer.status_code < 400, (answer.status_code, address)
        return answer

    def ask(self) -> str:
        """Begins a conversation. Returns its address once the request has reached the model."""
        self.server.asked.clear()
        address = self.post("/turns/", text="Well?").headers["location"]
        assert self.server.asked.wait(PATIENCE)
        return str(address)

    def text(self, address: str, message: int) -> str:
        """The source of a message."""
        return self.http.get(f"{address}messages/{message}/source/").text

    def read_last_answer(self) -> tuple[str, str]:
        """Returns the state and the blocks of the latest answer, as the database has them."""
        with closing(sqlite3.connect(f"file:{self.data / 'db.sqlite3'}?mode=ro", uri=True)) as database:
            query = """
                SELECT state, blocks FROM conversations_generation generation
                JOIN conversations_message message ON message.id = message_id ORDER BY generation.id DESC
            """
            state, blocks = database.execute(query).fetchone()
        return state, blocks

    def until_settled(self, address: str) -> Page:
        """Returns the page once no answer is queued or running."""
        until(lambda: not self.page(address).find("article[data-state=queued], article[data-state=running]"))
        return self.page(address)


def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Polls another process until the condition holds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_reachable(address: str, certificate: Certificate | None = None) -> bool:
    """Whether a server answers there with 200."""
    try:
        return httpx.get(address, verify=certificate.build_context() if certificate else True).status_code == 200
    except httpx.TransportError:
        return False
