"""Large request bodies under Daphne: read piece by piece, and by nobody before the application asks."""

import io
from collections.abc import AsyncIterator, MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest
from daphne.http_protocol import HTTPFactory
from twisted.internet.testing import StringTransport

from accounts.models import User
from chatsite.bodies import PIECE, leave_unparsed, serve_bodies_in_pieces, set_body_aside
from chatsite.server import PROOF, Request
from tests.viewers import SITE, TOKEN, Browser

COMPLETE = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


class File(io.BytesIO):
    """Knows how much was asked of it at most."""

    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.most = max(self.most, len(self.getvalue()) if size is None or size < 0 else size)
        return super().read(size)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE])
async def test_an_application_reads_a_body_in_pieces_and_then_what_else_happens(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    file, heard = File(content), []
    request, scope = SimpleNamespace(content=file), {"type": "http"}
    set_body_aside(request, scope)
    # What Daphne reads and puts into the queue is nothing.
    assert request.content.read() == b"" and file.most == 0
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
    assert last == GONE and file.most == PIECE and file.closed
    assert list(scope) == ["type"]


def test_forms_are_not_read_by_the_server() -> None:
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
    # What the last byte would bring about is the application's affair.
    request.process = lambda: None
    channel.dataReceived(body[-1:])
    assert (request.args, request.content.read()) == ({}, body)


def test_of_a_body_that_is_too_large_only_the_proof_is_kept(settings: Any) -> None:
    settings.REQUEST_SIZE = settings.GATEWAY_BODY_SIZE = 1000
    requests: list[Any] = []
    factory = HTTPFactory(SimpleNamespace(protocol_connected=requests.append))
    leave_unparsed(factory, Request)
    channel = factory.buildProtocol(None)
    channel.makeConnection(StringTransport())
    channel.dataReceived(b"POST / HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n")
    [request] = requests
    request.process = lambda: None
    for _ in range(100):
        channel.dataReceived(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    assert request.is_cut and 1000 < request.content.tell() <= 1000 + PROOF
    channel.dataReceived(b"0\r\n\r\n")
    scope: dict[str, Any] = {}
    set_body_aside(request, scope)
    assert any(scope.values())


@pytest.mark.parametrize("says_so", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.django_db(transaction=True)
async def test_whoever_sends_too_much_is_told_the_limit(says_so: bool, ada: User, settings: Any) -> None:
    settings.REQUEST_SIZE = 100_000
    browser = await Browser.of(ada)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"a" * 10_000

    headers = {"x-csrftoken": TOKEN, "origin": SITE, "content-type": "multipart/form-data; boundary=b"}
    body = b"a" * 200_000 if says_so else pieces()
    answer = await browser.http.post("/attachments/", content=body, headers=headers)
    assert (answer.status_code, "at most 100\N{NO-BREAK SPACE}kB can be sent" in answer.text) == (413, True)
    assert (await browser.get("/")).status_code == 200
    await browser.close()
