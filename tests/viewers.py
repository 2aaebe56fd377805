"""People at their browsers: real requests and sockets to the site's ASGI application, and the resulting page."""

from collections.abc import Callable
from itertools import count
from typing import Any, Self

import httpx
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.test import Client

from accounts.models import User
from chatsite.asgi import application
from conversations.live.broadcasts import render_partial
from conversations.live.hub import Frame, hub, person_topic
from conversations.models import Conversation
from tests.pages import Page

SITE = "http://localhost"
PATIENCE = 20.0
"""Seconds after which a viewer stops waiting for the server and the test fails."""
TOKEN = "f" * 32
_marks = count(1)


def sign_in(person: User) -> str:
    """Starts a session for the person and returns its key."""
    client = Client()
    client.force_login(person)
    key: str = client.session.session_key
    return key


class Browser:
    """A browser in which a person is signed in, or nobody."""

    def __init__(self, session_key: str = "") -> None:
        self.cookies = {"csrftoken": TOKEN} | ({"sessionid": session_key} if session_key else {})
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=application), base_url=SITE, headers={"cookie": self._cookie}
        )
        self.viewers: list[Viewer] = []

    @classmethod
    async def of(cls, person: User) -> Self:
        return cls(await sync_to_async(sign_in)(person))

    @property
    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    async def get(self, address: str, **headers: str) -> httpx.Response:
        return await self.http.get(address, headers=headers)

    async def post(self, address: str, *, htmx: bool = True, **fields: Any) -> httpx.Response:
        headers = {"x-csrftoken": TOKEN, "origin": SITE} | ({"hx-request": "true"} if htmx else {})
        return await self.http.post(address, data=fields, headers=headers)

    async def say(self, conversation: Conversation, text: str, **fields: Any) -> httpx.Response:
        return await self.post(f"/conversations/{conversation.pk}/turns/", text=text, **fields)

    async def load(self, conversation: Conversation) -> "Viewer":
        """Loads a conversation's page without opening its socket."""
        answer = await self.get(f"/conversations/{conversation.pk}/")
        assert answer.status_code == 200, answer.status_code
        return self.tab(Page(answer.text))

    async def open(self, conversation: Conversation) -> "Viewer":
        """Loads a conversation's page and opens its socket."""
        viewer = await self.load(conversation)
        assert await viewer.connect()
        return viewer

    def tab(self, page: Page) -> "Viewer":
        self.viewers.append(Viewer(self, page))
        return self.viewers[-1]

    def socket(self, address: str, origin: str = SITE) -> WebsocketCommunicator:
        headers = [(b"host", b"localhost"), (b"origin", origin.encode()), (b"cookie", self._cookie.encode())]
        return WebsocketCommunicator(application, address, headers)

    async def close(self) -> None:
        for viewer in self.viewers:
            await viewer.close()
        await self.http.aclose()


class Viewer:
    """A tab on a conversation. `page` has every message that was read from the socket so far."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self.browser, self.page = browser, page
        self.messages: list[str] = []
        """The messages of the socket, unchanged."""
        self._socket: WebsocketCommunicator | None = None

    async def connect(self) -> bool:
        """Opens the page's socket. Returns whether the server accepted it."""
        address = self.page.one("[data-socket]").get("data-socket")
        self._socket = self.browser.socket(address)
        accepted, _ = await self._socket.connect(PATIENCE)
        return accepted

    async def reconnect(self) -> None:
        """Closes the socket and opens it again at the page's original address."""
        await self.close()
        assert await self.connect()

    async def read(self) -> None:
        """Waits for one message and applies it to the page."""
        await self._see(await self._hear())

    async def settle(self) -> None:
        """Reads until the tab is up to date. Fails if the server closes the socket."""
        person = int(self.page.one("body").get("data-person"))
        mark = render_partial(f"#settled-{next(_marks)}", "delete")
        hub.publish(person_topic(person), Frame(mark))
        while (heard := await self._hear()) != mark:
            await self._see(heard)

    async def _hear(self) -> str:
        assert self._socket is not None
        output = await self._socket.receive_output(PATIENCE)
        assert output["type"] == "websocket.send", output
        return str(output["text"])

    async def _see(self, message: str) -> None:
        if "#settled-" in message:
            return  # Another tab of the same person may have read it already.
        self.messages.append(message)
        self.page.apply(message)
        for loading in self.page.find("#catch-up [hx-trigger=load]"):
            answer = await self.browser.get(loading.get("hx-get"), **{"hx-request": "true"})
            self.page.swap(self.page.one(loading.get("hx-target")), loading.get("hx-swap"), answer.text)
            loading.drop_tree()

    async def until(self, is_seen: Callable[[Page], object]) -> None:
        """Reads until the page meets the condition."""
        while not is_seen(self.page):
            await self.read()

    async def until_text(self, message: int, text: str) -> None:
        """Reads until a message has this text."""
        await self.until(lambda page: page.has(message) and page.text(message) == text)

    async def until_over(self, message: int) -> None:
        await self.until(lambda page: page.has(message) and page.state(message) not in ("queued", "running"))

    async def ping(self, text: str = "ping") -> str:
        """Sends a text and reads until the answer: "pong", or the socket's close code."""
        assert self._socket is not None
        await self._socket.send_to(text)
        while True:
            output = await self._socket.receive_output(PATIENCE)
            if output["type"] == "websocket.close":
                return str(output["code"])
            if output["text"] == '{"type":"pong"}':
                return "pong"
            self.page.apply(output["text"])

    async def until_closed(self) -> int:
        """Reads until the server closes the socket. Returns the close code."""
        assert self._socket is not None
        while (output := await self._socket.receive_output(PATIENCE))["type"] != "websocket.close":
            self.messages.append(output["text"])
        code: int = output["code"]
        self.reason: str = output.get("reason", "")
        return code

    async def close(self) -> None:
        if self._socket and not self._socket.future.done():
            await self._socket.disconnect(timeout=PATIENCE)
        self._socket = None
