"""Sets up a site to measure: a temporary database, people, conversations, the replaying upstream, and a server."""

import os
import re
import signal
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bench.processes import LOAD_CORES, SERVER_CORES, Process
from bench.upstream import Plan

if TYPE_CHECKING:
    from accounts.models import User

ROOT: Final = Path(__file__).resolve().parent.parent
SERVERS: Final = ("daphne", "uvicorn")
CSRF_TOKEN: Final = "benchbenchbenchbenchbenchbenchbe"
START_LIMIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Address:
    """The address of the site, and the session cookie of a person."""

    port: int
    session: str

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def cookies(self) -> dict[str, str]:
        return {"sessionid": self.session, "csrftoken": CSRF_TOKEN}

    @property
    def headers(self) -> str:
        """The headers of any request."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return f"host: {self.host}\r\ncookie: {cookies}\r\n"


@dataclass(frozen=True, slots=True)
class RunningSite:
    process: Process
    address: Address
    seconds_to_start: float


class Stand:
    """Creates the database in this process, through Django. The servers are processes of their own.

    `settings` are variables of the environment for this process and the servers.
    """

    def __init__(self, **settings: str) -> None:
        self._settings = settings
        self.epoch = time.monotonic()
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        self.directory = Path(self._ending.enter_context(tempfile.TemporaryDirectory(prefix="chatsite-bench-")))
        os.sched_setaffinity(0, LOAD_CORES)
        # On SIGTERM, it still ends the processes that it started.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "chatsite.settings",
            "DATA_DIR": str(self.directory),
            "DATABASE_URL": f"sqlite:///{self.directory / 'db.sqlite3'}",
            # Never call the providers of this machine's own `.env`.
            **{f"{vendor}_{part}": "" for vendor in ("ANTHROPIC", "OPENAI") for part in ("API_KEY", "BASE_URL")},
            **{"REDIS_URL": "", "DEBUG": "false", "HTTPS": "false", "HOST": "127.0.0.1", "SHUTDOWN_GRACE": "0"},
            **{"ALLOWED_HOSTS": "127.0.0.1", "PYTHONPATH": str(ROOT), "TABS_PER_PERSON": "10000"},
            **self._settings,
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("prepare", stdout=StringIO())
        self.person = self.new_person("ada")
        self._replay()
        return self

    def __exit__(self, *_: object) -> None:
        from django.db import connection

        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()
        self._ending.close()

    def new_person(self, username: str) -> "User":
        from accounts.models import User

        return User.objects.create(username=username, name=username.title())

    def sign_in(self, person: "User") -> str:
        from django.conf import settings
        from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

        session = import_module(settings.SESSION_ENGINE).SessionStore()
        session[SESSION_KEY] = str(person.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        session.create()
        return str(session.session_key)

    def create_model(self, plan: Plan) -> int:
        """Returns the key of the chat model that answers by this plan."""
        model, _ = self.provider.chat_models.get_or_create(model_id=plan.model_id)
        return int(model.pk)

    def create_conversations(self, count: int) -> list[int]:
        """Creates conversations and returns their keys."""
        from conversations.verbs.turns import begin

        return [begin(self.person, title="Measured").pk for _ in range(count)]

    @contextmanager
    def serve(self, server: str = "daphne", port: int = 0, **environment: str) -> Iterator[RunningSite]:
        """Yields the running site, on a free port by default. `daphne` is `manage.py serve`."""
        port = port or free_port()
        commands = {
            "daphne": [sys.executable, str(ROOT / "manage.py"), "serve"],
            "uvicorn": [
                *(sys.executable, "-m", "uvicorn", "chatsite.asgi:application", "--log-level", "warning"),
                *("--host", "127.0.0.1", "--port", str(port), "--no-access-log"),
            ],
        }
        began = time.monotonic()
        log, environment = self.directory / f"{server}-{port}.log", {"PORT": str(port), **environment}
        with Process(commands[server], log=log, cores=SERVER_CORES, **environment) as process:
            await_answer(process, port)
            yield RunningSite(process, Address(port, self.sign_in(self.person)), time.monotonic() - began)

    def _replay(self) -> None:
        """Starts the upstream and adds it to the site as a provider."""
        from upstreams.models import Provider

        log = self.directory / "upstream.log"
        command = [sys.executable, "-m", "bench.upstream", "--epoch", str(self.epoch)]
        self.upstream = self._ending.enter_context(Process(command, log=log, cores=LOAD_CORES))
        while not (said := re.match(r"([0-9]+)\n", log.read_text())):
            self.upstream.check()
            time.sleep(0.02)
        details: dict[str, Any] = {"protocol": "anthropic", "base_url": f"http://127.0.0.1:{said[1]}"}
        self.provider = Provider.objects.create(name="Replay", **details)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_answer(process: Process, port: int) -> None:
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end:
        process.check()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"no answer within {START_LIMIT:.0f} s:\n{process.log.read_text()[-2000:]}")
