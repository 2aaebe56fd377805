"""A raw socket whose client can send any frame."""

import os
import socket
import struct
from contextlib import suppress

from tests.served import Wire

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class SocketWire(Wire):
    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.port = port

    def ask(self, path: str, *headers: str, body: bytes = b"") -> None:
        """Sends a handshake."""
        site = f"127.0.0.1:{self.port}"
        usual = (f"host: {site}", f"origin: http://{site}", "upgrade: websocket", "connection: upgrade")
        key = ("sec-websocket-version: 13", f"sec-websocket-key: {'A' * 22}==")
        names = {header.partition(":")[0] for header in headers}
        kept = [header for header in usual + key if header.partition(":")[0] not in names]
        self.send(f"GET {path} HTTP/1.1", *kept, *headers, body=body)

    def send_frames(self, *frames: bytes) -> bool:
        """Returns whether the site still takes data."""
        try:
            self.send_bytes(b"".join(frames))
        except OSError:
            return False
        return True

    def stop_sending(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def read_frame(self) -> tuple[int, bytes]:
        """Reads the next frame: its kind and its payload."""
        first, size = self.read_exactly(2)
        if size >= 126:
            size = int.from_bytes(self.read_exactly(2 if size == 126 else 8))
        return first & 0x0F, self.read_exactly(size)

    def read_until_closed(self) -> int | None:
        """Reads to the end. Returns the close code, or None if the site dropped the connection."""
        try:
            while True:
                kind, payload = self.read_frame()
                if kind == CLOSE:
                    return int.from_bytes(payload[:2])
        except (EOFError, ConnectionError):
            return None


def frame(payload: bytes = b"", kind: int = TEXT, *, last: bool = True, masked: bool = True, flags: int = 0) -> bytes:
    size, mask = len(payload), os.urandom(4)
    head = bytes((0x80 * last | flags | kind,))
    if size < 126:
        head += bytes((0x80 * masked | size,))
    elif size < 1 << 16:
        head += struct.pack("!BH", 0x80 * masked | 126, size)
    else:
        head += struct.pack("!BQ", 0x80 * masked | 127, size)
    if not masked:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
