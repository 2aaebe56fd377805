"""Conversations that may be too long for a context window, and what people see of that."""

import re
from typing import Any

from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation, Generation, Path, Role, State
from conversations.models.message import text_block
from conversations.verbs.writing import add_message
from tests.fakes import ModelServer
from tests.pages import fragment, words
from tests.viewers import Browser
from upstreams.models import ChatModel

PAGE_OF_TEXT = "word " * 400
"""Estimated as 500 tokens."""


def fill(conversation: Conversation, owner: User, model: ChatModel, turns: int, size: int = 1) -> None:
    """Adds turns with their answers, each of `size` pages."""
    path = Path.through(conversation)
    for number in range(turns):
        said = add_message(
            path.branch, path.find_last_key(), author=owner, text=f"Question {number}. {PAGE_OF_TEXT * size}"
        )
        reply = add_message(
            path.branch, said.pk, role=Role.ASSISTANT, blocks=[text_block(f"Answer {number}. {PAGE_OF_TEXT * size}")]
        )
        named = Generation.model_fields(model)
        Generation.objects.create(conversation=conversation, message=reply, state=State.COMPLETE, **named)


async def fill_context(
    conversation: Conversation, owner: User, model: ChatModel, turns: int = 8, window: int = 8000
) -> None:
    await ChatModel.objects.aupdate(context_window=window)
    model.context_window = window
    await sync_to_async(fill)(conversation, owner, model, turns)


async def gauge(browser: Browser, conversation: Conversation, **query: Any) -> tuple[str, str]:
    """The gauge under the message field, and the offer above it, if there is one."""
    answer = await browser.http.get(f"/conversations/{conversation.pk}/context/", params=query)
    assert answer.status_code == 200
    page = fragment(answer.text)
    [shown] = page.cssselect(".gauge")
    offers = [words(each) for each in page.cssselect(".offer") if each.get("hidden") is None]
    return words(shown).replace("\xa0", " "), "".join(offers)


def prompt_starts(server: ModelServer) -> list[str]:
    """The first words of the messages that the model got last."""
    return [
        re.match(r"\w+ ?\d*", message["content"][0]["text"])[0]  # type: ignore[index]
        for message in server.requests[-1].json["messages"]
    ]
