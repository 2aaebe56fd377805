"""A site without free file descriptors or disk space loses no answer, and carries on once it has some again."""

import os
import resource
import socket
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.browser.site import Site
from tests.fakes import ModelServer
from tests.installation import PATIENCE, Installation, until

PIECES = [f"word{number} " for number in range(40)]
WHOLE = "".join(PIECES)
FEW = 10
"""Descriptors that the site may open beyond those that it has open already."""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer("anthropic") as running:
        running.say(*PIECES)
        yield running


@pytest.fixture
def installation(tmp_path: Path, server: ModelServer) -> Iterator[Installation]:
    with Installation(tmp_path, server) as running:
        yield running


class Tab:
    """A WebSocket on a conversation, opened before a shortage. It searches what arrives for words."""

    def __init__(self, installation: Installation, address: str) -> None:
        assert installation.site
        host = f"127.0.0.1:{installation.site.port}"
        cookies = "; ".join(f"{name}={value}" for name, value in installation.http.cookies.items())
        self._socket = socket.create_connection(("127.0.0.1", installation.site.port), PATIENCE)
        self._socket.sendall(
            f"GET /ws{address}?since=0 HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\ncookie: {cookies}\r\n"
            "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
            f"sec-websocket-key: {b64encode(os.urandom(16)).decode()}\r\n\r\n".encode()
        )
        self._received = b""

    def until(self, words: str) -> None:
        while words.encode() not in self._received:
            piece = self._socket.recv(1 << 16)
            assert piece, "the site closed the socket"
            self._received += piece

    def __enter__(self) -> Self:
        self.until("word2")
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def process_of(installation: Installation) -> int:
    assert installation.site
    return installation.site.process.pid


def highest_descriptor(pid: int) -> int:
    return max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))


@contextmanager
def limited(pid: int, kind: int, amount: int) -> Iterator[None]:
    """Sets a limit of a running process, and restores it."""
    before = resource.prlimit(pid, kind, (amount, resource.prlimit(pid, kind)[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, kind, before)


def connect(installation: Installation) -> socket.socket:
    """Begins a connection without waiting for it: a site that accepts none leaves it in the system's queue."""
    assert installation.site
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex(("127.0.0.1", installation.site.port))
    return connection


@contextmanager
def no_descriptors(installation: Installation) -> Iterator[None]:
    """Lets clients take every descriptor that the site can still open."""
    assert installation.site
    pid = process_of(installation)
    limit = highest_descriptor(pid) + 1 + FEW
    with limited(pid, resource.RLIMIT_NOFILE, limit), ExitStack() as connections:
        for _ in range(2 * limit):
            if len(os.listdir(f"/proc/{pid}/fd")) >= limit - 1:
                break
            connections.enter_context(connect(installation))
        # These find none left.
        for _ in range(FEW):
            connections.enter_context(connect(installation))
        until(lambda: len(os.listdir(f"/proc/{pid}/fd")) >= limit - 1)
        yield


@contextmanager
def no_disk(installation: Installation) -> Iterator[None]:
    """Makes every write to a file fail, as on a full disk."""
    with limited(process_of(installation), resource.RLIMIT_FSIZE, 0):
        yield


@contextmanager
def neither(installation: Installation) -> Iterator[None]:
    with no_disk(installation), no_descriptors(installation):
        yield


SHORTAGES = [no_descriptors, no_disk, neither]


def is_whole(installation: Installation) -> bool:
    state, blocks = installation.read_last_answer()
    return state == "complete" and WHOLE in blocks


def accepts_connections(installation: Installation) -> bool:
    try:
        socket.create_connection(("127.0.0.1", installation.site.port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("shortage", SHORTAGES)
def test_an_answer_that_ends_in_a_shortage_is_saved_after_it(installation, server, shortage):
    server.hold()
    address = installation.ask()
    server.step(3)
    with Tab(installation, address) as tab:
        with shortage(installation):
            server.release()
            tab.until("word39")
            until(lambda: is_whole(installation) or installation.site.has_printed("Saving is failing"))
        until(lambda: is_whole(installation))
        tab.until('data-state="complete"')


def test_a_site_that_stops_after_a_shortage_saves_the_answers_that_ended_in_it(installation, server):
    server.hold()
    address = installation.ask()
    server.step(3)
    with Tab(installation, address) as tab, no_disk(installation):
        server.release()
        tab.until("word39")
        installation.site.await_line("Saving is failing")
        installation.site.process.terminate()
        until(lambda: not accepts_connections(installation))
    assert installation.site.process.wait(PATIENCE) == 0
    assert is_whole(installation)


def test_while_saving_fails_one_line_a_minute_says_so_and_one_that_it_works_again(installation, server):
    server.hold()
    for _ in range(3):
        installation.ask()
    server.step(9)
    with no_disk(installation):
        server.release()
        installation.site.await_line("Saving is failing")
        time.sleep(4)  # Longer than several attempts.
    installation.site.await_line("Saving works again")
    until(lambda: is_whole(installation))
    lines = [line for line in installation.site.console if "WARNING" in line or "ERROR" in line]
    assert len(lines) == 2, lines
    assert not any("Traceback" in line for line in installation.site.console)


def cpu_of(pid: int) -> float:
    """The seconds of processor time of a process so far."""
    return time.clock_gettime((~pid << 3) | 2)


class SiteWithoutReserve(Site):
    """A site whose spare descriptor is gone. Twisted accepts and closes connections with it when it has no other."""

    @property
    def command(self) -> list[str]:
        lose = "from twisted.internet import tcp; tcp._reservedFD = tcp._NullFileDescriptorReservation()"
        return [sys.executable, "-c", f"{lose}; import manage, sys; sys.argv = ['manage.py', 'serve']; manage.main()"]


@pytest.mark.parametrize("site_type", [Site, SiteWithoutReserve])
def test_a_site_without_descriptors_neither_ends_nor_spins(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch, site_type: type[Site]
) -> None:
    monkeypatch.setattr(Installation, "site_type", site_type)
    with Installation(tmp_path, server) as installation:
        pid = process_of(installation)
        with no_descriptors(installation):
            used, began = cpu_of(pid), time.monotonic()
            time.sleep(3)  # The time over which the load is measured.
            assert (cpu_of(pid) - used) / (time.monotonic() - began) < 0.2
        until(lambda: installation.http.get("/healthz").status_code == 200)
        installation.ask()
        until(lambda: is_whole(installation))
