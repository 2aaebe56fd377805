"""The real site in a process of its own, started as an administrator starts it."""

import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
ADMINISTRATOR, PASSWORD = "ruth", "a quiet reading room"
PLAIN_HOST = "chat.test"
"""A name that the browser takes to this machine, and that is no secure context without TLS."""
PATIENCE = 120
"""Seconds that a start may take on a machine with much else to do."""


def environment(data: Path, port: int, **settings: str) -> dict[str, str]:
    """This process's environment without what would reach the site from outside, and with the settings given."""
    outside = re.compile(r"(.*_proxy|.*_API_KEY|.*_BASE_URL|DJANGO_.*|BEHIND_PROXY)$", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not outside.match(name)}
    fixed = {
        "DATA_DIR": str(data),
        "DATABASE_URL": f"sqlite:///{data / 'db.sqlite3'}",
        "REDIS_URL": "",
        "DEBUG": "false",
        "HTTPS": "false",
        "SECRET_KEY": "known-to-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "ALLOWED_HOSTS": f"127.0.0.1,{PLAIN_HOST}",
        "SHUTDOWN_GRACE": "1",
        # What stands in a .env file is not to be seen either.
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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Site:
    """`with Site(data, **settings) as site:` serves until the block ends; `console` is what it printed."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.port = data, free_port()
        self.environment = environment(data, self.port, **settings)
        self.url = f"http://127.0.0.1:{self.port}"
        self.plain_url = f"http://{PLAIN_HOST}:{self.port}"
        self.console: list[str] = []
        self._has_news = threading.Condition()
        self._is_over = False

    def __enter__(self) -> Self:
        self.console, self._is_over = [], False
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, name="site's console", daemon=True)
        self._listener.start()
        try:
            self.printed("chatsite is running at")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def die_and_come_back(self) -> None:
        """As after a crash: nobody is told, the same data and port are taken up again."""
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

    def printed(self, words: str) -> str:
        """The first line on the console with these words in it, as soon as it is there."""
        with self._has_news:
            self._has_news.wait_for(lambda: self._is_over or self._line_with(words), PATIENCE)
        line = self._line_with(words)
        assert line, f"The site did not print {words!r}:\n" + "\n".join(self.console)
        return line

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
