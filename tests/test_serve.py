"""`manage.py serve` in its own process."""

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

from tests.browser.site import free_port, manage

ROOT = Path(__file__).resolve().parent.parent
SERVE = ("manage.py", "serve")
# Runs the same command with a task to finish before it stops, as conversations have.
SERVE_WITH_A_LAST_ACT = (
    "-c",
    """
import asyncio, os, django
django.setup()
from django.core.management import call_command
from chatsite.serving.shutdown import on_stop
async def finish():
    print("the last answer is being finished", flush=True)
    await asyncio.sleep(float(os.environ.get("LAST_ACT", ".05")))
    print("the last answer is finished", flush=True)
on_stop(finish)
call_command("serve")
""",
)


@pytest.fixture
def installation(tmp_path):
    """The environment of a new installation: an empty data directory and a free port."""
    own = {"DATA_DIR": str(tmp_path), "PORT": str(free_port()), "HOST": "127.0.0.1", "DEBUG": "true"}
    unset = ("DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD", "DATABASE_URL", "REDIS_URL", "HTTPS")
    rest = {name: value for name, value in os.environ.items() if name not in unset}
    return rest | own | {"DJANGO_SETTINGS_MODULE": "chatsite.settings"}


class Site:
    """A running site and the lines that it printed before it was ready."""

    def __init__(self, process: subprocess.Popen[str], environment: dict[str, str]) -> None:
        self.process = process
        self.address = f"http://127.0.0.1:{environment['PORT']}"
        self.printed = self._until_ready()

    def _until_ready(self) -> list[str]:
        printed: list[str] = []
        for line in self.process.stdout:
            printed.append(line.strip())
            if "chatsite is running at" in line:
                return printed
        raise AssertionError("it ended: " + "\n".join([*printed, self.process.stderr.read()]))

    def next_line(self) -> str:
        return self.process.stdout.readline().strip()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(path if "://" in path else self.address + path, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, ""

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Stops the site. Returns its exit status and its remaining output."""
        self.get("/healthz")  # The site handles signals only once it answers requests.
        self.process.send_signal(signal_number)
        printed, _ = self.process.communicate(timeout=30)
        return self.process.returncode, printed


@contextmanager
def start_site(environment: dict[str, str], command: tuple[str, ...] = SERVE) -> Iterator[Site]:
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Site(process, environment)
    finally:
        process.kill()
        process.communicate()


def fail_to_start(environment: dict[str, str]) -> str:
    """Starts a site that must fail. Returns its error message, which has one line."""
    start = subprocess.run(
        [sys.executable, *SERVE], cwd=ROOT, env=environment, text=True, capture_output=True, timeout=60
    )
    assert start.returncode == 1
    assert start.stdout == ""
    assert len(start.stderr.strip().splitlines()) == 1, start.stderr
    return start.stderr


def test_a_first_start_creates_the_database_and_prints_the_set_up_link(installation):
    with start_site(installation) as site:
        assert site.printed[0].startswith("Updated the database")
        assert "which is enough for about" in site.printed[1]
        assert site.printed[2] == f"chatsite is running at {site.address}/"
        set_up = site.next_line()
        assert set_up.startswith(f"Set up the first administrator at {site.address}/accounts/set-up/")
        assert site.get("/healthz")[0] == 200
        assert "This site has no account" in site.get("/")[1]
        assert "Set up chatsite" in site.get(set_up.split()[-1])[1]
        assert site.stop() == (0, "")


def test_a_second_start_keeps_the_data_and_prints_no_link(installation):
    owned = installation | {"DJANGO_SUPERUSER_USERNAME": "boss", "DJANGO_SUPERUSER_PASSWORD": "a quiet reading room"}
    with start_site(owned) as site:
        assert "Created the administrator boss." in site.printed
        assert site.stop(signal.SIGINT) == (0, "")
    with start_site(owned) as site:
        assert site.printed[1:] == [f"chatsite is running at {site.address}/"]
        assert site.stop() == (0, ""), "no link once there is an account"


def test_a_port_in_use_is_reported_and_no_database_is_created(installation, tmp_path):
    with socket.create_server(("127.0.0.1", int(installation["PORT"]))):
        printed = fail_to_start(installation)
    assert f"Port {installation['PORT']} is in use" in printed
    assert not (tmp_path / "db.sqlite3").exists()


def test_an_unreachable_database_is_reported_in_one_line(installation):
    unreachable = installation | {"DATABASE_URL": "sqlite:////nonexistent/db.sqlite3"}
    assert "Could not connect to the database" in fail_to_start(unreachable)


def test_a_username_without_a_password_is_reported_and_the_site_starts(installation):
    with start_site(installation | {"DJANGO_SUPERUSER_USERNAME": "boss"}) as site:
        assert "Set up the first administrator" in site.next_line()
        assert "without DJANGO_SUPERUSER_PASSWORD" in site.process.stderr.readline()


def test_registered_tasks_finish_before_the_server_stops(installation):
    with start_site(installation, SERVE_WITH_A_LAST_ACT) as site:
        site.next_line()
        assert site.stop() == (0, "the last answer is being finished\nthe last answer is finished\n")


def test_a_second_site_on_the_same_data_gives_up_and_changes_no_static_files(installation, tmp_path):
    with start_site(installation | {"DEBUG": "false"}) as site:
        collected = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "static").rglob("*"))
        second = manage(tmp_path, "serve", PORT=str(free_port()), SHUTDOWN_GRACE="0")
        assert second.returncode == 1
        assert f"Another chatsite is running on {tmp_path}" in second.stderr
        assert f"Port {installation['PORT']} is in use" in fail_to_start(installation)
        assert site.get("/healthz")[0] == 200
        assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "static").rglob("*")) == collected


def test_a_restart_waits_for_the_last_acts_of_the_process_before(installation):
    with start_site(installation | {"LAST_ACT": "8"}, SERVE_WITH_A_LAST_ACT) as site:
        site.next_line()
        site.get("/healthz")
        site.process.send_signal(signal.SIGTERM)
        assert site.next_line() == "the last answer is being finished"
        with start_site(installation) as successor:
            assert site.process.poll() is not None
            assert successor.get("/healthz")[0] == 200
