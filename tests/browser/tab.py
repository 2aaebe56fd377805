"""A tab as a person sees it: fields and buttons by their names, messages as articles of a log."""

import re

from playwright.async_api import Locator, Page, expect

SENDS = "Control+Enter"
"""Sends on a touch screen too, where Enter starts a line."""
CONVERSATION = re.compile(r"/conversations/\d+/$")


class Tab:
    def __init__(self, page: Page, url: str) -> None:
        self.page, self._url = page, url
        self.composer = page.get_by_role("textbox", name="Message", exact=True)
        self.send = page.get_by_role("button", name="Send", exact=True)
        self.stop = page.get_by_role("button", name="Stop", exact=True)
        self.model = page.get_by_role("combobox", name="Model")
        self.title = page.get_by_role("textbox", name="Title")
        self.log = page.get_by_role("log", name="Messages")
        self.messages = self.log.get_by_role("article")
        self.answer = self.log.locator('article[data-role="assistant"]').last
        self.answer_text = self.answer.locator(".message-body")
        self.own = self.log.locator('article[data-role="user"]')
        self.sidebar = page.get_by_role("navigation", name="Conversations")
        self.rows = self.sidebar.locator(".conversation-row")
        self.dialog = page.get_by_role("dialog")
        self.new_text = page.get_by_role("button", name="Jump to latest")
        self.connection = page.locator("#connection")
        self.errors = page.locator("#composer-errors")

    async def open(self, path: str = "/") -> None:
        await self.page.goto(self._url + path)

    async def await_connection(self) -> None:
        """Waits until the page's socket is open."""
        await expect(self.page.locator(":root")).to_have_attribute("data-connection", "open")

    async def begin(self, text: str) -> None:
        """Begins a conversation and waits for its page."""
        await self.open()
        await self.composer.fill(text)
        await self.composer.press(SENDS)
        await expect(self.page).to_have_url(CONVERSATION)
        await self.await_connection()

    async def say(self, text: str) -> None:
        """Posts a turn and waits until it appears."""
        count = await self.own.count()
        await self.composer.fill(text)
        await self.composer.press(SENDS)
        await expect(self.own).to_have_count(count + 1)
        await expect(self.composer).to_have_value("")

    async def await_answer(self, state: str = "complete") -> None:
        await expect(self.answer).to_have_attribute("data-state", state)

    async def choose_model(self, name: str) -> None:
        """Chooses a model by typing its name."""
        await self.model.fill(name)
        await self.model.press("Enter")
        await expect(self.model).to_have_value(name)

    def row(self, title: str) -> Locator:
        return self.rows.filter(has=self.page.get_by_role("link", name=title, exact=True))

    async def lose_connection(self) -> None:
        """Closes the socket as a failing network does, without a close frame."""
        await self.page.context.set_offline(True)
        await self.page.evaluate("sockets.at(-1).close()")
