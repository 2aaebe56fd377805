"""A person's tab, a model that calls tools, and a real server that has them."""

from typing import Any

from asgiref.sync import sync_to_async

from conversations.models import Conversation, Generation, State
from tests.conversations.answering.tool_wires import Call, calling
from tests.conversations.asking import last_reply
from tests.fakes import ModelServer
from tests.tools.drawer import Drawer
from tests.viewers import Browser, Viewer
from tools.models import Tool, ToolServer
from upstreams.models import ChatModel


class Desk:
    def __init__(self, tab: Viewer, conversation: Conversation, model: ChatModel, server: ModelServer, drawer: Drawer):
        self.tab, self.conversation = tab, conversation
        self.model, self.server, self.drawer = model, server, drawer

    @property
    def browser(self) -> Browser:
        return self.tab.browser

    @sync_to_async
    def use(self, name: str, **changes: Any) -> Tool:
        """Chooses a tool of the drawer that needs no approval."""
        drawer, _ = ToolServer.objects.get_or_create(name="Drawer", defaults={"url": self.drawer.url})
        fields = {"wire_name": f"drawer__{name}", "input_schema": {"type": "object"}, "ask_first": False} | changes
        tool: Tool = drawer.tools.create(name=name, is_allowed=True, **fields)
        self.conversation.tools.add(tool)
        return tool

    def reply_with_calls(self, *calls: Call, text: str = "", thinking: str = "") -> None:
        """Has the model's next reply end in these calls."""
        self.server.stream(*calling(self.server.protocol, *calls, text=text, thinking=thinking))

    async def ask(self, text: str = "Well?") -> Generation:
        """Posts a turn. Returns once the answer has begun."""
        answer = await self.browser.say(self.conversation, text)
        assert answer.status_code == 201, answer.text
        reply = await last_reply(self.conversation)
        await self.tab.until(lambda page: page.has(reply.message_id))
        return reply

    async def ask_and_wait(self, text: str = "Well?") -> Generation:
        """Posts a turn. Returns once the answer has ended or needs approval."""
        await self.until_over(await self.ask(text))
        return await last_reply(self.conversation)

    async def until_over(self, reply: Generation) -> None:
        await self.tab.until_over(reply.message_id)

    async def until(self, reply: Generation, state: State) -> None:
        await self.tab.until(lambda page: page.has(reply.message_id) and page.state(reply.message_id) == state)

    async def stop(self) -> None:
        await self.browser.post(f"/conversations/{self.conversation.pk}/stop/")

    async def continue_reply(self, reply: Generation) -> None:
        await self.browser.post(f"/conversations/{self.conversation.pk}/messages/{reply.message_id}/continuations/")

    async def decide(self, reply: Generation, call: str, answer: str) -> int:
        return await decide(self.browser, reply, call, answer)

    @property
    def progress(self) -> list[str | None]:
        return call_progress(self.tab)

    def messages_sent(self, request: int = -1) -> list[dict[str, Any]]:
        """The messages of a request to the model."""
        return messages_sent(self.server, request)


async def decide(browser: Browser, reply: Generation, call: str, answer: str) -> int:
    address = f"/conversations/{reply.conversation_id}/messages/{reply.message_id}/tool-decisions/"
    return (await browser.post(address, call=call, answer=answer)).status_code


def call_progress(tab: Viewer) -> list[str | None]:
    """The progress of the calls, from top to bottom."""
    return [card.get("data-progress") for card in tab.page.find(".tool-call")]


def block_kinds(reply: Generation) -> list[str]:
    return [block["type"] for block in reply.message.blocks]


def messages_sent(server: ModelServer, request: int = -1) -> list[dict[str, Any]]:
    """The messages, without cache markers."""
    messages: list[dict[str, Any]] = server.requests[request].json["messages"]
    for message in messages:
        for block in message["content"] if isinstance(message["content"], list) else []:
            block.pop("cache_control", None)
    return messages
