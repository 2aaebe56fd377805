"""The real site in its own process, started as an administrator starts it."""

import os
import random
import re
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
ADMINISTRATOR, PASSWORD = "ruth", "a quiet reading room"
PLAIN_HOST = "chat.test"
"""A host name that the browser resolves to this machine. Without TLS, it is not a secure context."""
PATIENCE = 120
"""Seconds that a start may take on a busy machine."""


def environment(data: Path, port: int, **settings: str) -> dict[str, str]:
    """This process's environment with these settings, and without variables that would change the site."""
    outside = re.compile(r"(.*_proxy|.*_API_KEY|.*_BASE_URL|DJANGO_.*|BEHIND_PROXY)$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not outside.match(name)}
    fixed = {
        "DATA_DIR": str(data),
        "DATABASE_URL": f"sqlite:///{data / 'db.sqlite3'}",
        "REDIS_URL": "",
        "UPLOADS_URL": "",
        "DEBUG": "false",
        "HTTPS": "false",
        "SECRET_KEY": "known-to-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "ALLOWED_HOSTS": f"127.0.0.1,{PLAIN_HOST}",
        "SHUTDOWN_GRACE": "1",
        # Empty values override those of a .env file.
        "ANTHROPIC_API_KEY": "",
        "ANTHROPIC_BASE_URL": "",
        "OPENAI_API_KEY": "",
        "OPENAI_BASE_URL": "",
        "DJANGO_SUPERUSER_USERNAME": "",
        "DJANGO_SUPERUSER_PASSWORD": "",
        "DJANGO_SETTINGS_MODULE": "chatsite.settings",
        "PYTHONUNBUFFERED": "1",
    }
    return {**kept, **fixed, **settings}


def manage(data: Path, *arguments: str, root: Path = ROOT, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a management command on the data of a site, with the same settings."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=root,
        env=environment(data, free_port(), **settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def free_port() -> int:
    """A port that stays free while a site restarts: the system gives connections none below 32768."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


class Site:
    """`with Site(data, **settings) as site:` serves until the block ends; `console` is what it printed.

    `root` is the directory of the code, which may be of another version.
    """

    ready = "chatsite is running at"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "manage.py", "serve"]

    def __init__(self, data: Path, root: Path = ROOT, **settings: str) -> None:
        self.data, self.root, self.port = data, root, free_port()
        self.environment = environment(data, self.port, **settings)
        self.url = f"http://127.0.0.1:{self.port}"
        self.plain_url = f"http://{PLAIN_HOST}:{self.port}"
        self.console: list[str] = []
        self._has_news = threading.Condition()
        self._is_over = False

    def __enter__(self) -> Self:
        self.spawn()
        try:
            self.await_line(self.ready)
        except AssertionError:
            self.__exit__()
            raise
        return self

    def spawn(self) -> None:
        """Starts the process, and does not wait until it is ready."""
        self.console, self._is_over = [], False
        self.process = subprocess.Popen(
            self.command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, name="site's console", daemon=True)
        self._listener.start()

    def crash_and_restart(self) -> None:
        """Kills the process without warning and starts it again with the same data and port."""
        self.process.kill()
        self.process.wait()
        self._listener.join()
        self.__enter__()

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def await_line(self, words: str) -> str:
        """Waits for the first line on the console that contains these words, and returns it."""
        with self._has_news:
            self._has_news.wait_for(lambda: self._is_over or self._line_with(words), PATIENCE)
        line = self._line_with(words)
        assert line, f"The site did not print {words!r}:\n" + "\n".join(self.console)
        return line

    def has_printed(self, words: str) -> bool:
        return bool(self._line_with(words))

    def _line_with(self, words: str) -> str:
        return next((line for line in self.console if words in line), "")

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._has_news:
                self.console.append(line.rstrip())
                self._has_news.notify_all()
        with self._has_news:
            self._is_over = True
            self._has_news.notify_all()
