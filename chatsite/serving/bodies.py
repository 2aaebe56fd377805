"""Limits the size of request bodies. Under Daphne, also reads them in pieces from the file that holds them."""

import io
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import IO, Any, Final

from daphne.http_protocol import WebRequest

from chatsite.values import figures

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Application = Callable[[MutableMapping[str, Any], Receive, Any], Awaitable[None]]

PIECE: Final = 1 << 16
_BODY: Final = "chatsite.body"
_IS_CUT: Final = "chatsite.is_cut"


def leave_unparsed(factory: Any, request: Any = WebRequest) -> None:
    """Keeps Twisted from parsing forms on the event loop and in memory, although nothing uses the result.

    `request` is the class of requests that the factory makes.
    """
    build = factory.buildProtocol

    def build_channel(address: object) -> Any:
        channel = build(address)
        channel.requestFactory = partial(request, parsePOSTFormSubmission=False)
        return channel

    factory.buildProtocol = build_channel


def set_body_aside(request: Any, scope: dict[str, Any]) -> None:
    """Takes the body from Daphne, which would queue all of it for the application before any of it is read."""
    scope[_BODY], request.content = request.content, io.BytesIO()
    if getattr(request, "is_cut", False):
        scope[_IS_CUT] = True


def serve_bodies_in_pieces(application: Application) -> Application:
    """Wraps the application so that it receives the body that was set aside in pieces, one at a time."""

    async def with_body(scope: MutableMapping[str, Any], receive: Receive, send: Any) -> None:
        body = scope.pop(_BODY, None)
        await application(scope, Body(body, receive) if body else receive, send)

    return with_body


def limit_size(application: Any, most: Callable[[], int]) -> Application:
    """Wraps the application so that a body with more than `most()` bytes is refused with a 413 that names the limit."""

    async def limited(scope: MutableMapping[str, Any], receive: Receive, send: Any) -> None:
        if scope.pop(_IS_CUT, False) or read_declared_size(scope) > most():
            await refuse(send, most())
            return
        size, is_answered = 0, False

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message if size <= most() else {"type": "http.disconnect"}

        async def send_noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send(message)

        await application(scope, receive_counted, send_noted)
        if size > most() and not is_answered:
            await refuse(send, most())

    return limited


def read_declared_size(scope: MutableMapping[str, Any]) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


async def refuse(send: Any, most: int) -> None:
    words = f"The request is too large (limit {figures.size(most)}).".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(words))]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": words})


class Body:
    """The `receive` of an application: first the pieces of the file, then Daphne's own messages."""

    def __init__(self, file: IO[bytes], receive: Receive) -> None:
        self._file: IO[bytes] | None = file
        self._receive = receive

    async def __call__(self) -> Message:
        if self._file is None:
            return await self._receive()
        piece = self._file.read(PIECE)
        is_last = len(piece) < PIECE
        if is_last:
            self._file.close()
            self._file = None
            # Discards Daphne's own message about the end of the body: it is empty.
            await self._receive()
        return {"type": "http.request", "body": piece, "more_body": not is_last}
