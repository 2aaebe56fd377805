"""`manage.py serve`, started for real in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERVE = ("manage.py", "serve")
# Starts the same command with one thing to finish registered, as the conversations do.
SERVE_WITH_A_LAST_ACT = (
    "-c",
    """
import asyncio, django
django.setup()
from django.core.management import call_command
from chatsite.shutdown import on_stop
async def finish():
    await asyncio.sleep(.05)
    print("the last answer is finished", flush=True)
on_stop(finish)
call_command("serve")
""",
)


@pytest.fixture
def installation(tmp_path):
    """The environment of an installation of its own: an empty data directory and a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {"DATA_DIR": str(tmp_path), "PORT": str(port), "HOST": "127.0.0.1", "DEBUG": "true", "DATABASE_URL": ""}
    unset = ("DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD", "DATABASE_URL", "REDIS_URL", "HTTPS")
    rest = {name: value for name, value in os.environ.items() if name not in unset}
    own.pop("DATABASE_URL")
    return rest | own | {"DJANGO_SETTINGS_MODULE": "chatsite.settings"}


class Site:
    """A started site: what it said before it was ready, and a way to ask it."""

    def __init__(self, process: subprocess.Popen[str], environment: dict[str, str]) -> None:
        self.process = process
        self.address = f"http://127.0.0.1:{environment['PORT']}"
        self.said = self._until_ready()

    def _until_ready(self) -> list[str]:
        said: list[str] = []
        for line in self.process.stdout:
            said.append(line.strip())
            if "chatsite is running at" in line:
                return said
        raise AssertionError("it ended: " + "\n".join([*said, self.process.stderr.read()]))

    def next_line(self) -> str:
        return self.process.stdout.readline().strip()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(path if "://" in path else self.address + path, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, ""

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Its exit status, and what it said in the end. Only once it answers does it also listen to signals."""
        self.get("/healthz")
        self.process.send_signal(how)
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said


@contextmanager
def started(environment: dict[str, str], command: tuple[str, ...] = SERVE) -> Iterator[Site]:
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Site(process, environment)
    finally:
        process.kill()
        process.communicate()


def refused(environment: dict[str, str]) -> str:
    """What a start that comes to nothing says, all on one line."""
    start = subprocess.run(
        [sys.executable, *SERVE], cwd=ROOT, env=environment, text=True, capture_output=True, timeout=60
    )
    assert start.returncode == 1
    assert start.stdout == ""
    assert len(start.stderr.strip().splitlines()) == 1, start.stderr
    return start.stderr


def test_a_first_start_makes_the_database_and_says_where_to_begin(installation):
    with started(installation) as site:
        assert site.said[0].startswith("Updated the database")
        assert site.said[1] == f"chatsite is running at {site.address}/"
        set_up = site.next_line()
        assert set_up.startswith(f"Set up the first administrator at {site.address}/accounts/set-up/")
        assert site.get("/healthz")[0] == 200
        assert "This site has no account" in site.get("/")[1]
        assert "Set up chatsite" in site.get(set_up.split()[-1])[1]
        assert site.stop() == (0, "")


def test_a_second_start_keeps_everything_and_has_little_to_say(installation):
    owned = installation | {"DJANGO_SUPERUSER_USERNAME": "boss", "DJANGO_SUPERUSER_PASSWORD": "a quiet reading room"}
    with started(owned) as site:
        assert "Created the administrator boss." in site.said
        assert site.stop(signal.SIGINT) == (0, "")
    with started(owned) as site:
        assert site.said == [f"chatsite is running at {site.address}/"]
        assert site.stop() == (0, ""), "no link once there is an account"


def test_a_start_on_a_port_in_use_says_so_and_touches_nothing(installation, tmp_path):
    with socket.create_server(("127.0.0.1", int(installation["PORT"]))):
        said = refused(installation)
    assert f"Port {installation['PORT']} is in use" in said
    assert not (tmp_path / "db.sqlite3").exists()


def test_a_database_that_cannot_be_reached_is_told_in_one_line(installation):
    unreachable = installation | {"DATABASE_URL": "sqlite:////nonexistent/db.sqlite3"}
    assert "Could not connect to the database" in refused(unreachable)


def test_a_name_without_a_password_is_told_and_the_site_starts_all_the_same(installation):
    with started(installation | {"DJANGO_SUPERUSER_USERNAME": "boss"}) as site:
        assert "Set up the first administrator" in site.next_line()
        assert "without DJANGO_SUPERUSER_PASSWORD" in site.process.stderr.readline()


def test_what_runs_may_finish_before_the_server_stops(installation):
    with started(installation, SERVE_WITH_A_LAST_ACT) as site:
        site.next_line()
        assert site.stop() == (0, "the last answer is finished\n")
