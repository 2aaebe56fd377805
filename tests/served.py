"""The site in a process of its own on the database of the tests, and raw connections to it."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

from tests.browser.site import Site

PATIENCE = 30.0


def address_of_test_database() -> str:
    """Returns the DATABASE_URL with which another process uses the database of the tests."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def serve_test_database(data: Path, **environment: str) -> Site:
    """Returns a site with the rows, sessions and uploads of the test, which must commit its transactions."""
    keys = {"SECRET_KEY": str(settings.SECRET_KEY), "SEALING_KEY": str(settings.SEALING_KEY)}
    return Site(data, DATABASE_URL=address_of_test_database(), **keys, **environment)


def run_elsewhere(code: str) -> None:
    """Runs code in another process, on the database of the tests. It announces nothing to this process."""
    environment = os.environ | {
        "DATABASE_URL": address_of_test_database(),
        "DJANGO_SETTINGS_MODULE": "chatsite.settings",
    }
    command = [sys.executable, "-c", f"import django; django.setup(); {code}"]
    subprocess.run(command, env=environment, check=True, timeout=60)


class Wire:
    """A connection on which every byte counts."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *lines: str, body: bytes = b"") -> None:
        self._socket.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + body)

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_head(self) -> tuple[int, dict[str, str]]:
        """Reads the status and the headers of the next answer."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = head[0].split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), head[0]
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        return int(status), {name.lower(): value for name, value in pairs}

    def read_answer(self) -> tuple[int, dict[str, str], bytes]:
        """Reads the next answer, which states its length or comes in chunks."""
        status, headers = self.read_head()
        if "content-length" in headers:
            return status, headers, self.read_exactly(int(headers["content-length"]))
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(self.read_until(b"\r\n"), 16):
                body += self.read_exactly(size + 2)[:-2]
            self.read_exactly(2)
        return status, headers, body

    def read_until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._receive()
        found, _, self._received = self._received.partition(end)
        return found + end

    def read_exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._receive()
        found, self._received = self._received[:size], self._received[size:]
        return found

    def read_to_the_end(self) -> bytes:
        """Reads until the site closes the connection."""
        try:
            while True:
                self._receive()
        except EOFError:
            return self._received

    def _receive(self) -> None:
        if not (data := self._socket.recv(1 << 16)):
            raise EOFError(self._received)
        self._received += data
