"""Large request bodies under Daphne: read piece by piece, and by nobody before the application asks."""

import io
from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest
from daphne.http_protocol import HTTPFactory
from twisted.internet.testing import StringTransport

from chatsite.bodies import PIECE, in_pieces, leave_unparsed, set_aside

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
    set_aside(request, scope)
    # What Daphne reads and puts into the queue is nothing.
    assert request.content.read() == b"" and file.most == 0
    queue = [COMPLETE, GONE]

    async def receive() -> MutableMapping[str, Any]:
        return queue.pop(0)

    async def application(scope: object, receive: Any, send: object) -> None:
        while not heard or heard[-1]["type"] != "http.disconnect":
            heard.append(await receive())

    await in_pieces(application)(scope, receive, None)
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
