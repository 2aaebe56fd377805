"""Daphne leaves large request bodies to the application, which reads them in pieces."""

import io
from collections.abc import AsyncIterator, MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest
from daphne.http_protocol import HTTPFactory
from twisted.internet.testing import StringTransport

from accounts.models import User
from chatsite.serving.bodies import PIECE, leave_unparsed, serve_bodies_in_pieces, set_body_aside
from chatsite.serving.channel import Door
from chatsite.serving.server import PROOF, open_door
from tests.viewers import SITE, TOKEN, Browser

COMPLETE = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


class File(io.BytesIO):
    """Records the largest size that a caller asked it to read."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, len(self.getvalue()) if size is None or size < 0 else size)
        return super().read(size)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE])
async def test_an_application_reads_a_body_in_pieces_and_then_other_events(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    file, heard = File(content), []
    request, scope = SimpleNamespace(content=file), {"type": "http"}
    set_body_aside(request, scope)
    # Daphne reads this empty content and queues it.
    assert request.content.read() == b"" and file.largest == 0
    queue = [COMPLETE, GONE]

    async def receive() -> MutableMapping[str, Any]:
        return queue.pop(0)

    async def application(scope: object, receive: Any, send: object) -> None:
        while not heard or heard[-1]["type"] != "http.disconnect":
            heard.append(await receive())

    await serve_bodies_in_pieces(application)(scope, receive, None)
    *pieces, last = heard
    assert b"".join(piece["body"] for piece in pieces) == content
    assert [piece["more_body"] for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    assert last == GONE and file.largest == PIECE and file.closed
    assert list(scope) == ["type"]


def test_the_server_does_not_parse_forms() -> None:
    requests: list[Any] = []
    server = SimpleNamespace(protocol_connected=requests.append)
    factory = HTTPFactory(server)
    leave_unparsed(factory)
    channel = factory.buildProtocol(None)
    channel.makeConnection(StringTransport())
    body = b"--b\r\ncontent-disposition: form-data; name=a\r\n\r\nwords\r\n--b--\r\n"
    head = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-type: multipart/form-data; boundary=b\r\n"
    channel.dataReceived(b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body[:-1]))
    [request] = requests
    # The last byte would otherwise start the application.
    request.process = lambda: None
    channel.dataReceived(body[-1:])
    assert (request.args, request.content.read()) == ({}, body)


async def test_the_server_keeps_just_enough_of_an_oversized_body_to_refuse_it(settings: Any) -> None:
    settings.REQUEST_SIZE = settings.GATEWAY_BODY_SIZE = 1000
    requests: list[Any] = []
    factory = HTTPFactory(SimpleNamespace(protocol_connected=requests.append))
    open_door(factory, Door(identify_ada))
    channel = factory.buildProtocol(None)
    channel.makeConnection(StringTransport())
    channel.dataReceived(b"POST / HTTP/1.1\r\nhost: here\r\ncookie: a=b\r\ntransfer-encoding: chunked\r\n\r\n")
    await channel._check
    [request] = requests
    request.process = lambda: None
    for _ in range(100):
        channel.dataReceived(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    assert request.is_cut and 1000 < request.content.tell() <= 1000 + PROOF
    channel.dataReceived(b"0\r\n\r\n")
    scope: dict[str, Any] = {}
    set_body_aside(request, scope)
    assert any(scope.values())


async def identify_ada(headers: object) -> int:
    return 1


@pytest.mark.parametrize("has_length", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.django_db(transaction=True)
async def test_an_oversized_body_is_refused_with_the_limit(has_length: bool, ada: User, settings: Any) -> None:
    settings.REQUEST_SIZE = 100_000
    browser = await Browser.of(ada)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a" * 10_000

    headers = {"x-csrftoken": TOKEN, "origin": SITE, "content-type": "multipart/form-data; boundary=b"}
    body = b"a" * 200_000 if has_length else pieces()
    answer = await browser.http.post("/attachments/", content=body, headers=headers)
    assert (answer.status_code, "limit 100\N{NO-BREAK SPACE}kB" in answer.text) == (413, True)
    assert (await browser.get("/")).status_code == 200
    await browser.close()
