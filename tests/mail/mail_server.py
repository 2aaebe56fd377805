"""A mail server for tests: real SMTP on loopback, in its own thread."""

import asyncio
import base64
import socket
import ssl
import threading
from contextlib import suppress
from typing import Self

PATIENCE = 10.0


class MailServer:
    """Keeps the messages it accepts. `replies` has what it says to a verb in place of its usual words.

    With `hold`, it accepts connections and says nothing. With `drip`, it sends a byte now and then, and never a line.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, hold: bool = False, drip: bool = False) -> None:
        self.messages: list[str] = []
        self.recipients: list[str] = []
        self.credentials: list[tuple[str, str]] = []
        self.replies: dict[str, str] = {}
        self.extensions = ["AUTH PLAIN"]
        self.connections = 0
        self.ended = threading.Event()
        """Set when a client has closed its connection."""
        self._tls, self._hold, self._drip = tls, hold, drip
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._connect, sock=self._socket, ssl=self._tls)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self._hold:
                await reader.read()
            elif self._drip:
                await self._send_bytes(writer)
            else:
                await self._converse(reader, writer)
        except OSError:
            pass
        finally:
            self.ended.set()
            with suppress(OSError):
                writer.close()

    async def _send_bytes(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"2")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{self.replies.get('CONNECT', '220 mail.test')}\r\n".encode())
        while line := (await reader.readline()).decode().strip():
            verb, _, rest = line.partition(" ")
            reply = self.replies.get(verb.upper()) or self._answer(verb.upper(), rest)
            if reply == "close":
                return
            if verb.upper() == "DATA" and reply.startswith("354"):
                writer.write(f"{reply}\r\n".encode())
                self.messages.append((await reader.readuntil(b"\r\n.\r\n")).decode())
                reply = "250 accepted"
            writer.write(f"{reply}\r\n".encode())
            if verb.upper() == "QUIT":
                return

    def _answer(self, verb: str, rest: str) -> str:
        match verb:
            case "EHLO":
                lines = ["mail.test", *self.extensions]
                return "\r\n".join(f"250{'-' if line is not lines[-1] else ' '}{line}" for line in lines)
            case "AUTH":
                _, username, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                self.credentials.append((username, password))
                return "235 welcome"
            case "RCPT":
                self.recipients.append(rest)
                return "250 ok"
            case "DATA":
                return "354 go on"
            case "QUIT":
                return "221 bye"
        return "250 ok"
