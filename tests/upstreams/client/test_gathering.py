"""A reader that sleeps between its reads: the connection is paused meanwhile, and nothing is lost or late."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import ModelServer
from tests.steps import Abort, Gate, Hang, Pause
from tests.upstreams.client.asking import ASKED, QUICK
from tests.upstreams.client.test_connection import self_signed
from tests.upstreams.protocols.reading import Read
from tests.wires import reply_wire
from upstreams import client
from upstreams.client import stream_reply, transport
from upstreams.client.transport import Limits
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import UpstreamError
from upstreams.events import ReplyEvent

WORDS = [f"{number} " for number in range(200)]


@pytest.fixture(autouse=True)
async def fresh_client() -> AsyncIterator[None]:
    yield
    await client.close_transport()


@pytest.fixture(params=list(ProtocolName))
def server(request: pytest.FixtureRequest) -> Iterator[ModelServer]:
    with ModelServer(request.param) as running:
        yield running


def gathered(endpoint: Endpoint, limits: Limits = QUICK) -> AsyncGenerator[Sequence[ReplyEvent]]:
    return stream_reply(endpoint, ASKED, limits=limits, is_gathering=True)


async def read_on(batches: AsyncGenerator[Sequence[ReplyEvent]], read: Read | None = None) -> Read:
    """Reads to the end, with a sleep between any two batches."""
    read = read or Read()
    try:
        async with aclosing(batches):
            async for events in batches:
                for event in events:
                    read.take(event)
                await asyncio.sleep(0.001)
    except UpstreamError as failure:
        read.failure = failure
    return read


async def first_of(batches: AsyncGenerator[Sequence[ReplyEvent]]) -> Read:
    """Reads until there is text; the connection is then paused."""
    read = Read()
    while not read.text:
        for event in await anext(batches):
            read.take(event)
    return read


async def until_reached(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.reached.wait, 10)


async def test_a_reply_reads_the_same_at_any_pace(server: ModelServer) -> None:
    wire = reply_wire(server.protocol, WORDS, thinking=["hm"])
    server.stream(*wire)
    server.stream(*(step for event in wire for step in (event, Pause(0.0005))))
    server.stream(*(event[place : place + 7] for event in wire for place in range(0, len(event), 7)))
    for _ in range(3):
        read = await read_on(gathered(server.build_endpoint()))
        assert (read.text, read.thinking, read.reason) == ("".join(WORDS), "hm", "end_turn")
    assert [request.connection for request in server.requests] == [1, 1, 1]


async def test_what_arrives_in_a_pause_is_one_batch(server: ModelServer) -> None:
    opening, *rest = reply_wire(server.protocol, WORDS)
    begun, written = Gate(), Gate()
    server.stream(opening, *rest[:3], begun, *rest[3:50], written, *rest[50:])
    batches = gathered(server.build_endpoint())
    read = await first_of(batches)
    begun.open()
    await until_reached(written)
    seen = len(read.text)
    for event in await anext(batches):
        read.take(event)
    assert len(read.text) - seen > len("".join(WORDS[:40]))
    written.open()
    assert (await read_on(batches, read)).text == "".join(WORDS)


async def test_a_connection_that_breaks_in_a_pause_delivers_what_arrived_and_then_fails(server: ModelServer) -> None:
    wire, begun, written = reply_wire(server.protocol, WORDS)[:50], Gate(), Gate()
    server.stream(*wire[:5], begun, *wire[5:], written, Abort())
    batches = gathered(server.build_endpoint())
    read = await first_of(batches)
    begun.open()
    await until_reached(written)
    written.open()
    await read_on(batches, read)
    assert read.kind == "broken_stream"
    assert "".join(WORDS).startswith(read.text) and len(read.text) > len("".join(WORDS[:40]))


async def test_silence_is_given_up_and_closes_the_connection(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, WORDS)[:50], Hang())
    read = await read_on(gathered(server.build_endpoint(), replace(QUICK, idle=0.05)))
    assert read.text and read.kind == "stalled"
    assert await server.until_disconnected()


async def test_whoever_stops_in_a_pause_closes_the_connection(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, WORDS)[:50], Hang())
    batches = gathered(server.build_endpoint())
    await first_of(batches)
    await batches.aclose()
    assert await server.until_disconnected()


async def test_a_reader_that_is_cancelled_in_a_pause_closes_the_connection(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, WORDS)[:50], hung := Gate())
    reading = asyncio.create_task(read_on(gathered(server.build_endpoint())))
    await until_reached(hung)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await server.until_disconnected()


async def test_an_encrypted_reply_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path / "certificate.pem")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(transport, "get_tls_context", lambda: trusting)
    wire = reply_wire(ProtocolName.ANTHROPIC, WORDS)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for event in wire:
            writer.write(event)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    async with await asyncio.start_server(answer, "localhost", 0, ssl=serving) as listening:
        port = listening.sockets[0].getsockname()[1]
        endpoint = Endpoint(
            name="Testing", protocol=ProtocolName.ANTHROPIC, base_url=f"https://localhost:{port}", key="k"
        )
        read = await read_on(gathered(endpoint))
    assert (read.text, read.reason) == ("".join(WORDS), "end_turn")
