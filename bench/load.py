"""Generates the load: cheap tabs that listen, and people who post."""

import asyncio
import os
import re
from array import array
from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

from bench.stand import CSRF_TOKEN, Address
from bench.upstream import count_tenths

PEOPLE = 4
"""People who post at the same time."""
_STAMP = re.compile(rb"\bT([0-9a-f]{6,8})\b")


class Tally:
    """Counts what all tabs have received since the last `reset`."""

    def __init__(self, epoch: float) -> None:
        self.epoch = epoch
        self.reset()

    def reset(self) -> None:
        self.latencies = array("l")
        self.frames = self.bytes = 0

    @property
    def stamps(self) -> int:
        return len(self.latencies)

    def latency(self, percent: float) -> float:
        """Returns a percentile of the latencies, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] / 10 if ordered else float("nan")


class Tab(asyncio.Protocol):
    """A WebSocket on one conversation. The open end of Markdown is sent repeatedly, but each stamp counts once."""

    def __init__(self, address: Address, conversation: int, tally: Tally) -> None:
        self.address, self.conversation, self.tally = address, conversation, tally
        self.is_open = asyncio.get_running_loop().create_future()
        self.has_stamp = asyncio.Event()
        self.is_complete = asyncio.Event()
        self.is_closed = False
        self._received = b""
        self._is_upgraded = False
        self._last_stamp = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(
            (
                f"GET /ws/conversations/{self.conversation}/?since=0 HTTP/1.1\r\n{self.address.headers}"
                f"origin: http://{self.address.host}\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                f"sec-websocket-version: 13\r\nsec-websocket-key: {b64encode(os.urandom(16)).decode()}\r\n\r\n"
            ).encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if not self.is_open.done():
            self.is_open.set_exception(ConnectionError(f"refused: {self._received[:200]!r}"))

    def data_received(self, data: bytes) -> None:
        now = count_tenths(self.tally.epoch)
        self.tally.bytes += len(data)
        data = self._received + data
        if not self._is_upgraded:
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end or b" 101 " not in head[:20]:
                self._received = data
                return
            self._is_upgraded, data = True, rest
            self.is_open.set_result(None)
        start = 0
        while (place := frame_at(data, start)) is not None:
            opcode, begin, start = place
            if opcode == 1:
                self.read_message(data[begin:start], now)
            elif opcode == 9:
                # A pong with the payload of the ping, masked with zeros.
                self.transport.write(bytes([0x8A, 0x80 | start - begin]) + b"\0\0\0\0" + data[begin:start])
        self._received = data[start:]

    def read_message(self, html: bytes, now: int) -> None:
        self.tally.frames += 1
        for found in _STAMP.findall(html):
            stamp = int(found, 16)
            if stamp > self._last_stamp:
                self._last_stamp = stamp
                self.tally.latencies.append(now - stamp)
                self.has_stamp.set()
        if b'data-state="complete"' in html and self.has_stamp.is_set():
            self.is_complete.set()


def frame_at(data: bytes, start: int) -> tuple[int, int, int] | None:
    """Returns the opcode, start and end of the frame at `start`; None until the frame is complete."""
    if len(data) < start + 2:
        return None
    size, begin = data[start + 1] & 0x7F, start + 2
    if extra := {126: 2, 127: 8}.get(size, 0):
        size, begin = int.from_bytes(data[begin : begin + extra]), begin + extra
    if len(data) < begin + size:
        return None
    return data[start] & 0x0F, begin, begin + size


async def listen(address: Address, conversation: int, tally: Tally) -> Tab:
    """Opens a tab."""
    tab = Tab(address, conversation, tally)
    await asyncio.get_running_loop().create_connection(lambda: tab, "127.0.0.1", address.port)
    await asyncio.wait_for(tab.is_open, 30)
    return tab


async def speak(address: Address, conversations: list[int], chat_model: int) -> None:
    """Posts a turn in each conversation, PEOPLE at a time."""
    await asyncio.gather(*(_post(address, conversations[start::PEOPLE], chat_model) for start in range(PEOPLE)))


async def _post(address: Address, conversations: list[int], chat_model: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    body = urlencode({"text": "How much?", "chat_model": chat_model})
    head = f"{address.headers}x-csrftoken: {CSRF_TOKEN}\r\nhx-request: true\r\ncontent-length: {len(body)}\r\n"
    for pk in conversations:
        kind = "content-type: application/x-www-form-urlencoded"
        writer.write(f"POST /conversations/{pk}/turns/ HTTP/1.1\r\n{head}{kind}\r\n\r\n{body}".encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        if b" 201 " not in answer[:20]:
            raise RuntimeError(f"a turn was refused: {answer[:300]!r}")
        if length := re.search(rb"(?i)content-length: *([0-9]+)", answer):
            await reader.readexactly(int(length[1]))
        elif b"chunked" in answer.lower():
            await reader.readuntil(b"0\r\n\r\n")
    writer.close()
