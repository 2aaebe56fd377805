"""The server waits for slow readers, so memory does not grow, and every byte arrives."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.browser.site import free_port

ROOT = Path(__file__).resolve().parent.parent
TEXTS, SIZE = 1000, 64_000
# The site's server with an application that sends faster than its reader reads.
FAST_SENDER = f"""
import asyncio, os, django
django.setup()
from django.conf import settings
import chatsite.serving.server
async def talk(scope, receive, send):
    await receive()
    await send({{"type": "websocket.accept"}})
    for size in (1, 125, 126, 65535, 65536):
        await send({{"type": "websocket.send", "text": "é" + "x" * (size - 2) if size > 1 else "x"}})
    for number in range({TEXTS}):
        sending = asyncio.ensure_future(send({{"type": "websocket.send", "text": "x" * {SIZE}}}))
        if not (await asyncio.wait([sending], timeout=.5))[0]:
            print("waits after", number, flush=True)
            await sending
    print("all is sent", flush=True)
    await receive()
async def stream(scope, receive, send):
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    for number in range({TEXTS}):
        piece = {{"type": "http.response.body", "body": b"x" * {SIZE}, "more_body": True}}
        sending = asyncio.ensure_future(send(piece))
        if not (await asyncio.wait([sending], timeout=.5))[0]:
            print("waits after", number, flush=True)
            await sending
    await send({{"type": "http.response.body", "body": b""}})
    print("all is sent", flush=True)
async def application(scope, receive, send):
    await (talk if scope["type"] == "websocket" else stream)(scope, receive, send)
chatsite.serving.server.STUCK_AFTER = float(os.environ["STUCK_AFTER"])
chatsite.serving.server.import_string = lambda path: application
chatsite.serving.server.Server(ready_callable=lambda: print("ready", flush=True)).run()
"""


@pytest.fixture
def fast_sender(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    port = free_port()
    own = {"DATA_DIR": str(tmp_path), "PORT": str(port), "HOST": "127.0.0.1", "DEBUG": "true"}
    own["STUCK_AFTER"] = getattr(request, "param", "60")
    environment = {**os.environ, **own, "DJANGO_SETTINGS_MODULE": "chatsite.settings"}
    command = (sys.executable, "-c", FAST_SENDER)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        with socket.create_connection(("127.0.0.1", port)) as reader:
            reader.settimeout(20)
            yield process, reader
        process.kill()


def handshake(reader: socket.socket) -> None:
    head = "GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n"
    reader.sendall((head + key).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += reader.recv(1)
    assert answer.startswith(b"HTTP/1.1 101")


def read_exactly(reader: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        data += reader.recv(size - len(data))
    return bytes(data)


def read_text(reader: socket.socket) -> str:
    first, length = read_exactly(reader, 2)
    assert first == 0x81
    if length >= 126:
        length = int.from_bytes(read_exactly(reader, 2 if length == 126 else 8))
    return read_exactly(reader, length).decode()


def test_the_server_waits_for_a_slow_reader_of_a_socket(
    fast_sender: tuple[subprocess.Popen[str], socket.socket],
) -> None:
    process, reader = fast_sender
    assert process.stdout
    handshake(reader)
    first_wait = process.stdout.readline().split()
    assert first_wait[:2] == ["waits", "after"] and int(first_wait[2]) < TEXTS
    assert [len(read_text(reader).encode()) for _ in range(5)] == [1, 125, 126, 65535, 65536]
    assert [read_text(reader) for _ in range(TEXTS)] == ["x" * SIZE] * TEXTS
    while (line := process.stdout.readline()).startswith("waits"):
        pass
    assert line == "all is sent\n"


def test_the_server_waits_for_a_slow_reader_of_a_stream(
    fast_sender: tuple[subprocess.Popen[str], socket.socket],
) -> None:
    process, reader = fast_sender
    assert process.stdout
    reader.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    first_wait = process.stdout.readline().split()
    assert first_wait[:2] == ["waits", "after"] and int(first_wait[2]) < TEXTS
    answer = HTTPResponse(reader)
    answer.begin()
    assert answer.read() == b"x" * SIZE * TEXTS
    while (line := process.stdout.readline()).startswith("waits"):
        pass
    assert line == "all is sent\n"


@pytest.mark.parametrize("fast_sender", ["2"], indirect=True)
def test_a_reader_who_takes_nothing_is_dropped(fast_sender: tuple[subprocess.Popen[str], socket.socket]) -> None:
    process, reader = fast_sender
    assert process.stdout
    reader.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    while (line := process.stdout.readline()).startswith("waits"):
        pass
    assert line == "all is sent\n", "Nobody waits for the rest."
    with pytest.raises(ConnectionResetError):
        while reader.recv(1 << 20):
            pass
