"""A turn whose reply meets a lock or another passing fault of the database is answered once that is over."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from accounts.models import User
from chatsite.failures import retrying
from chatsite.sqlite import base
from conversations.answering import claim, replies, reply
from conversations.models import Conversation, State
from conversations.prompt import toolbox
from tests.conversations.asking import Opening, last_reply, queue_turn
from tests.conversations.verbs.desk import Desk
from tests.fakes import ModelServer
from tests.locks import locked_database
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing waits for another process, and attempts follow one another quickly."""
    if connection.vendor == "sqlite":
        monkeypatch.setitem(connections.settings["default"]["OPTIONS"], "timeout", 0)
        monkeypatch.setattr(base, "LEAST_PATIENCE", 0)
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.01)
    yield


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.sqlite
async def test_an_answer_waits_for_the_lock_of_another_process(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.say("Here I am.")
    generation = await asyncio.to_thread(in_thread, queue_turn, conversation, ada, "Well?", model)
    tab = await (await browser(ada)).open(conversation)
    attempts: list[int] = []
    monkeypatch.setattr(replies, "claim", lambda pk: attempts.append(pk) or claim.claim(pk))
    with locked_database() as holder:
        await replies.generate.aenqueue(generation.pk)
        await until(lambda: len(attempts) > 3)
        assert (await last_reply(conversation)).state == State.QUEUED
        await asyncio.to_thread(holder.release)
    await tab.until_over(generation.message_id)
    assert (await last_reply(conversation)).state == State.COMPLETE
    assert tab.page.text(generation.message_id) == "Here I am."


def in_thread[R](work: Callable[..., R], *arguments: Any) -> R:
    try:
        return work(*arguments)
    finally:
        connection.close()


class Faulty:
    """A function that raises OperationalError at its first calls."""

    def __init__(self, function: Callable[..., Any], faults: int) -> None:
        self.function, self.faults = function, faults

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self.faults:
            self.faults -= 1
            raise OperationalError("the server closed the connection unexpectedly")
        return self.function(*arguments, **named)


@pytest.mark.parametrize("place", ["build_request", "find_problems", "require_permission"])
async def test_a_fault_while_the_prompt_is_built_is_passed_over(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    monkeypatch.setattr(claim, place, faulty := Faulty(getattr(claim, place), 3))
    server.say("Here I am.")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Well?")
    message = (await last_reply(conversation)).message_id
    await tab.until_over(message)
    assert (tab.page.state(message), faulty.faults) == ("complete", 0)


async def test_a_fault_between_two_rounds_of_tools_is_passed_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "build_follow_up", building := Faulty(reply.build_follow_up, 2))
    saving = Faulty(toolbox.Toolbox._save_images, 2)
    monkeypatch.setattr(toolbox.Toolbox, "_save_images", lambda *arguments: saving(*arguments))
    await desk.use("echo")
    desk.reply_with_calls(("toolu_1", "drawer__echo", {"text": "hello"}), text="Let me see.")
    desk.server.say("It said hello.")
    answer = await desk.ask_and_wait()
    assert (answer.state, building.faults, saving.faults) == (State.COMPLETE, 0, 0)
    assert "It said hello." in desk.tab.page.text(answer.message_id)


async def test_a_fault_while_the_next_turn_is_looked_for_is_passed_over(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replies, "find_next", faulty := Faulty(replies.find_next, 2))
    server.say("First.")
    server.say("Second.")
    tab = await (await browser(ada)).open(conversation)
    server.hold()
    await tab.browser.say(conversation, "One?")
    await tab.browser.say(conversation, "Two?")
    server.release()
    second = (await last_reply(conversation)).message_id
    await tab.until_over(second)
    assert (tab.page.text(second), faulty.faults) == ("Second.", 0)
