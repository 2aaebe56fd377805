"""The tools of one reply: their definitions for the model, which calls need approval, and their results."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from chatsite.failures.retrying import retry_until_saved
from chatsite.process.threads import database_sync_to_async
from conversations.models import Conversation, Decision, Generation, Message, ToolGrant
from conversations.models.message import text_block
from conversations.uploads import NotAttached, save_image
from tools.builtin import CallContext
from tools.calls import run_call
from tools.models import Tool, ToolQuerySet
from tools.results import ToolResult

type Block = dict[str, Any]

REFUSED = "The person who was asked refused this call. Go on without it, or ask them what they would like instead."
"""Changing the text would make earlier refusals look like failures: `is_refusal` knows them by it."""
TOO_MANY = "No more tools can be used in this answer. Answer with what you know."
NO_SUCH_TOOL = "There is no tool with this name."
UNREADABLE = "The input of this call is not a JSON object. Send it again."


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools that a person lets models use in a conversation. `decisions` are about calls of this generation."""

    tools: Mapping[str, Tool]
    granted: frozenset[int]
    decisions: Mapping[str, str]
    context: CallContext | None
    message: Message

    @classmethod
    def of(cls, generation: Generation, message: Message) -> Toolbox:
        person = generation.asked_by
        if person is None:
            return cls({}, frozenset(), {}, None, message)
        conversation = generation.conversation
        granted = ToolGrant.objects.filter(conversation=conversation, person=person).values_list("tool", flat=True)
        decided = {approval.use_id: approval.decision for approval in generation.tool_approvals.all()}
        context = CallContext(person, conversation.pk)
        tools = {tool.wire_name: tool for tool in chosen_tools(conversation).usable_by(person)}
        return cls(tools, frozenset(granted), decided, context, message)

    @property
    def definitions(self) -> list[Block]:
        return [tool.definition for tool in self.tools.values()]

    def must_ask(self, use: Block) -> bool:
        tool = self.tools.get(use.get("name", ""))
        if tool is None or "raw_input" in use or self.decisions.get(use["id"]):
            return False
        return tool.ask_first and tool.pk not in self.granted

    async def run(
        self, uses: Sequence[Block], tell: Callable[[Block], None], on_progress: Callable[[str, str], None]
    ) -> None:
        """Runs the calls concurrently. Passes each result to `tell` as it arrives.

        `on_progress` gets the id of a call, and its progress in words.
        """

        async def run_and_tell(use: Block) -> None:
            tell(await self.run_one(use, partial(on_progress, use["id"])))

        async with asyncio.TaskGroup() as calls:
            for use in uses:
                calls.create_task(run_and_tell(use))

    async def run_one(self, use: Block, on_progress: Callable[[str], None]) -> Block:
        """Returns the `tool_result` block for a `tool_use` block. Failures become error results for the model."""
        tool = self.tools.get(use.get("name", ""))
        if self.decisions.get(use["id"]) == Decision.REFUSED:
            return error_result(use, REFUSED)
        if tool is None or self.context is None:
            return error_result(use, NO_SUCH_TOOL)
        if "raw_input" in use:
            return error_result(use, UNREADABLE)
        answer: ToolResult = await run_call(tool, use.get("input") or {}, self.context, on_progress)
        save = database_sync_to_async(partial(self._save_images, answer.content, str(tool)))
        content = await retry_until_saved(save)
        block: Block = {"type": "tool_result", "tool_use_id": use["id"], "content": content}
        return {**block, "is_error": True} if answer.is_error else block

    def _save_images(self, blocks: Iterable[Block], name: str) -> list[Block]:
        """Stores images as files, redrawn like those that people attach."""
        saved = []
        for block in blocks:
            if block["type"] == "image":
                try:
                    content = b64decode(block["source"]["data"])
                    owner = self.context.user if self.context else None
                    block = save_image(content, name, self.message, owner).reference
                except NotAttached as fault:
                    block = text_block(f"[An image was left out: {fault}]")
            saved.append(block)
        return saved


@dataclass(frozen=True, slots=True)
class ToolCounts:
    """How many tools a person can use in a conversation, and how many of them are selected."""

    offered: int
    chosen: int

    @classmethod
    def of(cls, conversation: Conversation, person: User) -> ToolCounts:
        usable = Tool.objects.usable_by(person)
        return cls(usable.count(), chosen_tools(conversation).usable_by(person).count())


def load_definitions(conversation: Conversation, person: User | AnonymousUser) -> list[Block]:
    """Returns the tool definitions for answers to this person."""
    return [tool.definition for tool in chosen_tools(conversation).usable_by(person)]


def chosen_tools(conversation: Conversation) -> ToolQuerySet:
    return Tool.objects.filter(pk__in=conversation.tools.values("pk")) if conversation.pk else Tool.objects.none()


def is_refusal(result: Mapping[str, Any]) -> bool:
    """Whether the result says that the person refused the call."""
    return bool(result.get("content") == [text_block(REFUSED)])


def error_result(use: Block, words: str) -> Block:
    return {"type": "tool_result", "tool_use_id": use["id"], "content": [text_block(words)], "is_error": True}


def unanswered_calls(blocks: Iterable[Block]) -> list[Block]:
    """Returns the calls without a result, in order."""
    blocks = list(blocks)
    answered = {block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"}
    return [block for block in blocks if block.get("type") == "tool_use" and block.get("id") not in answered]
