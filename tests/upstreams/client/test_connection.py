"""Trying a provider out: its models, and words for what stands in the way."""

import asyncio
import logging
import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes import ModelServer
from tests.steps import Abort, Answer, Hang
from upstreams import client
from upstreams.chat import ChatMessage, ChatRequest
from upstreams.client import ConnectionStep, ModelListing
from upstreams.client.transport import Limits
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import UpstreamError

QUICK = Limits(connect=0.5, listing=0.2, retries=0)
KEY = "key-of-the-test"


@pytest.fixture(autouse=True)
async def fresh_client() -> AsyncIterator[None]:
    yield
    await client.close_transport()


@pytest.fixture(params=list(ProtocolName))
def server(request: pytest.FixtureRequest) -> Iterator[ModelServer]:
    with ModelServer(request.param) as running:
        yield running


async def trial(to: Endpoint | ModelServer) -> client.ConnectionReport:
    return await client.test_connection(to.build_endpoint() if isinstance(to, ModelServer) else to, limits=QUICK)


def listed(server: ModelServer, content: bytes, status: int = 200, kind: str = "application/json") -> None:
    server.listing = Answer([content], status, {"content-type": kind})


async def test_models_are_listed(server: ModelServer) -> None:
    models = await client.list_models(server.build_endpoint())
    assert models == [ModelListing("test-model", "Test model")]
    [request] = server.requests
    assert request.path == {"anthropic": "/v1/models", "openai": "/v1/models"}[server.protocol]
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("content", "models"),
    [
        (b'[{"id": "a"}]', [ModelListing("a", "a")]),
        (
            b'{"models": [{"name": "a:7b"}, {"model": "org/b"}, "c"]}',
            [ModelListing(n, n) for n in ("a:7b", "org/b", "c")],
        ),
        (b'{"data": [{"id": "a", "max_input_tokens": 9, "max_tokens": 5}]}', [ModelListing("a", "a", 9, 5)]),
        (b'{"data": [{"id": "a", "context_length": 9}, {"id": ""}, null]}', [ModelListing("a", "a", 9)]),
        (b'{"data": [{"id": "a", "max_model_len": 9, "max_tokens": null}]}', [ModelListing("a", "a", 9)]),
        (b'{"object": "list", "data": null}', []),
    ],
)
async def test_lists_of_every_shape_are_read(server: ModelServer, content: bytes, models: list[ModelListing]) -> None:
    listed(server, content)
    assert await client.list_models(server.build_endpoint()) == models


async def test_all_pages_are_asked_for_and_a_page_that_repeats_is_the_last() -> None:
    with ModelServer("anthropic") as server:
        listed(server, b'{"data": [{"id": "a"}, {"id": "b"}], "has_more": true, "last_id": "b"}')
        assert [model.id for model in await client.list_models(server.build_endpoint())] == ["a", "b"]
        assert [request.target for request in server.requests] == [
            "/v1/models?limit=1000",
            "/v1/models?limit=1000&after_id=b",
        ]


async def test_a_good_connection_is_reported(server: ModelServer) -> None:
    report = await trial(server)
    assert (report.ok, report.step, report.models) == (True, ConnectionStep.DONE, 1)
    assert report.message == "Testing responds and offers 1 model."


async def test_a_wrong_key_is_reported(server: ModelServer) -> None:
    listed(server, b'{"error": {"type": "authentication_error", "message": "invalid x-api-key"}}', 401)
    report = await trial(server)
    assert (report.ok, report.step, report.detail) == (False, ConnectionStep.AUTHENTICATION, "invalid x-api-key")


async def test_a_web_page_is_reported(server: ModelServer) -> None:
    listed(server, b"<html>Welcome</html>", kind="text/html")
    report = await trial(server)
    assert (report.ok, report.step) == (False, ConnectionStep.SERVER)
    assert "did not respond like a model server" in report.message and report.detail == "<html>Welcome</html>"


async def test_a_server_that_does_not_list_its_models_is_usable(server: ModelServer) -> None:
    listed(server, b'{"error": {"message": "Not found"}}', 404)
    server.refuse(400, "invalid_request_error", "model: Field required")
    report = await trial(server)
    assert (report.ok, report.step, report.models) == (True, ConnectionStep.LISTING, 0)


async def test_a_server_that_knows_neither_path_is_no_model_server(server: ModelServer) -> None:
    listed(server, b"404 page not found", 404, "text/plain")
    server.body(b"404 page not found", status=404, headers={"content-type": "text/plain"})
    report = await trial(server)
    assert (report.ok, report.step) == (False, ConnectionStep.SERVER)


async def test_a_wrong_key_shows_even_without_a_list(server: ModelServer) -> None:
    listed(server, b"", 404)
    server.refuse(401, "authentication_error")
    assert (await trial(server)).step is ConnectionStep.AUTHENTICATION


@pytest.mark.parametrize("answer", [Answer([], before=[Hang()]), Answer([Hang()]), Answer([], before=[Abort()])])
async def test_a_server_that_does_not_answer_is_reported(server: ModelServer, answer: Answer) -> None:
    server.listing = answer
    report = await trial(server)
    assert (report.ok, report.step) == (False, ConnectionStep.CONNECT)


async def test_a_closed_port_is_reported(server: ModelServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    report = await trial(server.build_endpoint(base_url=f"http://127.0.0.1:{port}"))
    assert (report.step, "Could not connect" in report.message) == (ConnectionStep.CONNECT, True)


async def test_an_unknown_host_is_reported(server: ModelServer) -> None:
    report = await trial(server.build_endpoint(base_url="http://nowhere.invalid"))
    assert report.step is ConnectionStep.NAME


async def test_a_server_without_tls_is_reported(server: ModelServer) -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as listening:
        report = await trial(
            server.build_endpoint(base_url="https://{}:{}".format(*listening.sockets[0].getsockname()))
        )
    assert (report.ok, report.step) == (False, ConnectionStep.TLS)


async def test_a_certificate_that_nobody_vouches_for_is_reported(server: ModelServer, tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path / "certificate.pem"))
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=tls) as listening:
        report = await trial(
            server.build_endpoint(base_url="https://{}:{}".format(*listening.sockets[0].getsockname()))
        )
    assert (report.ok, report.step) == (False, ConnectionStep.TLS)
    assert "certificate" in report.message


def self_signed(path: Path) -> Path:
    """Writes a certificate for localhost, and its key, into one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    unsealed = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(unsealed + certificate.public_bytes(pem))
    return path


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://x", "http://", "http://a b", "http://me:secret@x", "/v1"])
async def test_what_is_no_web_address_is_reported(server: ModelServer, url: str) -> None:
    report = await trial(server.build_endpoint(base_url=url))
    assert (report.ok, report.step) == (False, ConnectionStep.ADDRESS)


async def test_the_key_appears_in_no_error_and_no_log(server: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    request = ChatRequest("m", [ChatMessage("user", [{"type": "text", "text": "hi"}])])
    echo = f"Incorrect API key provided: {KEY}, Bearer {KEY}".encode()
    server.body(echo, status=401, headers={"content-type": "text/plain"})
    endpoint = server.build_endpoint()
    for to in (endpoint, server.build_endpoint(base_url="http://127.0.0.1:1")):
        with pytest.raises(UpstreamError) as caught:
            [events async for events in client.stream_reply(to, request, limits=QUICK)]
        failure = caught.value
        said = [str(failure), repr(failure), failure.detail, "".join(traceback.format_exception(failure))]
        assert KEY not in "".join(said)
        assert failure.__context__ is None and failure.__cause__ is None
    assert KEY not in caplog.text and KEY not in repr(endpoint)
