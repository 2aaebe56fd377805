"""A tab's socket: collects what it hears, in a thread of its own."""

import asyncio
import threading
from typing import Self

import aiohttp

from tests.cluster.cluster import Person
from tests.pages import Page

PATIENCE = 20.0


class Listener:
    """`with Listener(person, address) as tab:` is connected to the conversation, as its page is."""

    def __init__(self, person: Person, address: str) -> None:
        self._page = person.page(address)
        path = self._page.one("main").get("data-socket")
        base = str(person.http.base_url).rstrip("/")
        self._url, self._origin = f"{base.replace('http', 'ws', 1)}{path}", base
        self._cookies = "; ".join(f"{name}={value}" for name, value in person.http.cookies.items())
        self._context = person.context
        self.heard: list[str] = []
        self._applied = 0
        """How many of the frames heard the page has."""
        self._is_connected, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_connected.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._listening.cancel)
        self._thread.join(PATIENCE)

    def see(self) -> Page:
        """Returns the page, with all that was heard so far."""
        self._applied, new = len(self.heard), self.heard[self._applied :]
        for frame in new:
            if not frame.startswith("{"):
                self._page.apply(frame)
        return self._page

    def has_heard(self, words: str) -> bool:
        return any(words in frame for frame in self.heard)

    def _run(self) -> None:
        self._listening = self._loop.create_task(self._listen())
        self._loop.run_until_complete(asyncio.wait([self._listening]))
        self._loop.close()

    async def _listen(self) -> None:
        headers = {"cookie": self._cookies, "origin": self._origin}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(self._url, ssl=self._context or True, max_msg_size=0) as socket,
        ):
            self._is_connected.set()
            async for message in socket:
                self.heard.append(str(message.data))
