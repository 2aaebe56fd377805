"""Answers WebSocket handshakes: refuses those of other sites, and lets only a few at a time use the database."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from chatsite.serving.origins import is_from_own_page

type Scope = Mapping[str, Any]
type Message = Mapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Scope, Receive, Send], Awaitable[None]]

AT_ONCE: Final = 4
"""Handshakes that proceed at the same time."""
MOST_WAITING: Final = 1000
"""Handshakes that can wait for their turn. Nobody has signed in yet, so a stranger's count too."""
PATIENCE: Final = 2.0
"""Seconds that a handshake waits for its turn. The page gives up a little later, and Daphne after five seconds."""
TIME_TO_ANSWER: Final = 2.0
"""Seconds that a handshake may take once it proceeds, whatever the database does."""


async def refuse(scope: Scope, send: Send, status: HTTPStatus) -> None:
    """Answers the handshake with an HTTP status, or with the server's own where it cannot send one."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    words = f"{status.phrase}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(words))]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": words})


def refuse_other_sites(application: Application) -> Application:
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if is_from_own_page(scope):
            await application(scope, receive, send)
        else:
            await refuse(scope, send, HTTPStatus.FORBIDDEN)

    return guarded


class HandshakeQueue:
    """Wraps an application so that few of its handshakes proceed at a time. The others wait in the order they came.

    One that waits too long, or that the application does not answer in time, is refused: its page tries again a
    little later, and a definite answer costs less than a handshake that both sides have given up. One that its
    client gives up leaves the queue.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._free = AT_ONCE
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connect = await receive()
        # Before the answer, the second message can only say that the client has left.
        second = asyncio.ensure_future(receive())
        try:
            if not await self._take_turn(second):
                await refuse(scope, send, HTTPStatus.SERVICE_UNAVAILABLE)
                return
            handshake = Handshake(scope, send, self._pass_turn_on)
            try:
                if not second.done():
                    await self._application(scope, replay(connect, second, receive), handshake.send)
            finally:
                handshake.end()
        finally:
            second.cancel()

    async def _take_turn(self, leaving: asyncio.Future[Message]) -> bool:
        """Waits for a turn. Returns whether the handshake got one."""
        if self._free:
            self._free -= 1
            return True
        if len(self._waiting) >= MOST_WAITING:
            return False
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait({turn, leaving}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            has_turn = turn.done()
            if not has_turn:
                self._waiting.remove(turn)
        return has_turn

    def _pass_turn_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._free += 1


class Handshake:
    """A handshake that proceeds. It gets exactly one answer: the application's, or a refusal once time is up."""

    def __init__(self, scope: Scope, send: Send, on_answer: Callable[[], None]) -> None:
        self._scope, self._send = scope, send
        self._on_answer: Callable[[], None] | None = on_answer
        self._deadline = asyncio.get_running_loop().call_later(TIME_TO_ANSWER, self._give_up)
        self._refusal: asyncio.Future[None] | None = None

    async def send(self, message: Message) -> None:
        if self._refusal is None:
            self.end()
            await self._send(message)

    def end(self) -> None:
        self._deadline.cancel()
        on_answer, self._on_answer = self._on_answer, None
        if on_answer:
            on_answer()

    def _give_up(self) -> None:
        self._refusal = asyncio.ensure_future(refuse(self._scope, self._send, HTTPStatus.SERVICE_UNAVAILABLE))
        self.end()


def replay(first: Message, second: Awaitable[Message], receive: Receive) -> Receive:
    """Returns a `receive` that begins with two messages that were taken out already."""
    ahead: deque[Message | Awaitable[Message]] = deque((first, second))

    async def receive_next() -> Message:
        if not ahead:
            return await receive()
        message = ahead.popleft()
        return message if isinstance(message, Mapping) else await message

    return receive_next
