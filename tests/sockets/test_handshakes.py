"""A crowd of handshakes: few proceed at a time, each gets an answer in time, and abandoned ones cost nothing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from chatsite.serving import handshakes
from chatsite.serving.handshakes import AT_ONCE, HandshakeQueue


class Gate:
    """An application that accepts a handshake when `open` is set, and records which ones it has begun."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.begun: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        self.begun.append(scope["path"])
        await self.open.wait()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"]})


class Client:
    def __init__(self, queue: Any, path: str) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.inbox.put_nowait({"type": "websocket.connect"})
        scope = {"path": path, "extensions": {"websocket.http.response": {}}}
        self.task = asyncio.ensure_future(queue(scope, self.inbox.get, self.answers.put))

    async def answer(self) -> Any:
        answer = await asyncio.wait_for(self.answers.get(), 10)
        return answer.get("status", answer["type"])

    def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})


@pytest_asyncio.fixture
async def gate() -> Gate:
    return Gate()


@pytest_asyncio.fixture
async def connect(gate: Gate) -> AsyncIterator[Any]:
    queue, clients = HandshakeQueue(gate), []

    def begin(count: int, name: str = "") -> list[Client]:
        clients.extend(new := [Client(queue, f"{name}{number}") for number in range(count)])
        return new

    yield begin
    gate.open.set()
    for client in clients:
        client.leave()
    await asyncio.wait_for(asyncio.gather(*(client.task for client in clients)), 10)
    assert (queue._free, len(queue._waiting)) == (AT_ONCE, 0), "every turn is back"


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_few_handshakes_proceed_at_a_time_and_the_others_follow_in_order(gate: Gate, connect: Any) -> None:
    clients = connect(3 * AT_ONCE)
    await settle()
    assert gate.begun == [f"{number}" for number in range(AT_ONCE)]
    gate.open.set()
    assert [await client.answer() for client in clients] == ["websocket.accept"] * len(clients)
    assert gate.begun == [f"{number}" for number in range(3 * AT_ONCE)]


async def test_an_accepted_socket_holds_no_turn_and_its_events_arrive_in_order(gate: Gate, connect: Any) -> None:
    gate.open.set()
    clients = connect(3 * AT_ONCE)
    for client in clients:
        assert await client.answer() == "websocket.accept"
        for text in "abc":
            client.inbox.put_nowait({"type": "websocket.receive", "text": text})
    for client in clients:
        assert [(await client.answers.get())["text"] for _ in "abc"] == ["a", "b", "c"]


async def test_a_handshake_that_waits_too_long_is_refused_and_keeps_no_place(
    gate: Gate, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "PATIENCE", 0.05)
    connect(AT_ONCE)
    late = connect(3, "late")
    assert [await client.answer() for client in late] == [503, 503, 503]
    assert not any(path.startswith("late") for path in gate.begun)


async def test_an_abandoned_handshake_leaves_the_queue(gate: Gate, connect: Any) -> None:
    connect(AT_ONCE)
    abandoned, patient = connect(5, "abandoned"), connect(1, "patient")
    await settle()
    for client in abandoned:
        client.leave()
    await settle()
    gate.open.set()
    assert await patient[0].answer() == "websocket.accept"
    assert not any(path.startswith("abandoned") for path in gate.begun)


async def test_a_handshake_that_the_application_does_not_answer_is_refused_in_time(
    gate: Gate, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "TIME_TO_ANSWER", 0.05)
    stuck = connect(AT_ONCE)
    assert [await client.answer() for client in stuck] == [503] * AT_ONCE
    gate.open.set()
    [follower] = connect(1, "follower")
    assert await follower.answer() == "websocket.accept"
    await settle()
    for client in stuck:
        await client.answers.get()  # the words of the refusal
        assert client.answers.empty(), "an answer that comes later is not sent"


async def test_no_more_handshakes_wait_than_memory_allows(
    gate: Gate, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "MOST_WAITING", 3)
    connect(AT_ONCE + 3)
    await settle()
    assert await connect(1, "more")[0].answer() == 503


async def test_an_application_that_fails_gives_its_turn_back(connect: Any) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("on purpose")

    queue = HandshakeQueue(fail)
    clients = [Client(queue, "") for _ in range(3 * AT_ONCE)]
    outcomes = await asyncio.gather(*(client.task for client in clients), return_exceptions=True)
    assert all(isinstance(outcome, ValueError) for outcome in outcomes)
    assert queue._free == AT_ONCE
