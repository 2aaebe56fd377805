"""Replies that one process leaves and another takes over."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event

import pytest
from asgiref.sync import sync_to_async

from conversations.answering import queue, replies
from conversations.answering.ending import HANDED_OVER
from conversations.models import Conversation, Generation, GenerationCall
from tests.conversations.asking import last_reply
from tests.fakes import ModelServer
from tests.viewers import PATIENCE


async def hand_over(conversation: Conversation) -> Generation:
    """Ends this process's replies after its grace. Returns the last reply, as the next process finds it."""
    closing = asyncio.create_task(replies.local.close(HANDED_OVER))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    return await last_reply(conversation)


async def take_over(server: ModelServer, monkeypatch: pytest.MonkeyPatch, *sayings: str, **usage: int) -> None:
    """Puts another process in the place of this one, which does the queued work. Its model says these texts."""
    server.forget()
    for text in sayings:
        server.say(text, **usage)
    earlier = replies.local
    monkeypatch.setattr(replies, "local", replies.Replies())
    await asyncio.to_thread(earlier.close_threads)
    for pk in await sync_to_async(queue.list_waiting)():
        await replies.local.write(pk)


@contextmanager
def held(own: replies.Replies) -> Iterator[None]:
    """Nothing is saved in the block."""
    end = Event()
    own.saver._thread.submit(end.wait)
    try:
        yield
    finally:
        end.set()


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 (conditions of all kinds)
            await asyncio.sleep(0.01)


async def outcomes(reply: Generation) -> list[str]:
    calls = GenerationCall.objects.filter(generation=reply).order_by("entry_id")
    return [outcome async for outcome in calls.values_list("entry__outcome", flat=True)]
