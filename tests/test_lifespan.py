"""Under another ASGI server, the site resumes, watches and ends its work as it does under `manage.py serve`."""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.browser.site import ROOT, Site, environment, free_port, manage
from tests.fakes import ModelServer
from tests.installation import Installation, until

DOCUMENTATION = (ROOT / "docs" / "installing.md").read_text()
PIECES = [f"word{number} " for number in range(40)]
WHOLE = "".join(PIECES)
OPTIONS = shlex.split(
    re.search(r"chatsite.asgi:application (.*?) \d+\n", DOCUMENTATION, re.DOTALL)[1].replace("\\\n", "")
)
"""Those that docs/ recommends, without the last one's value."""


class UvicornSite(Site):
    ready = "Uvicorn running on"

    @property
    def command(self) -> list[str]:
        return [*uvicorn(self.port), *OPTIONS, "5"]

    def __enter__(self) -> Self:
        prepared = subprocess.run(
            [sys.executable, "manage.py", "prepare"], cwd=ROOT, env=self.environment, text=True, capture_output=True
        )
        assert prepared.returncode == 0, prepared.stderr
        self.prepared = prepared.stdout
        return super().__enter__()


class UvicornInstallation(Installation):
    site_type = UvicornSite


def uvicorn(port: int) -> list[str]:
    return [sys.executable, "-m", "uvicorn", "chatsite.asgi:application", "--port", str(port)]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer("anthropic") as running:
        running.say(*PIECES)
        yield running


@pytest.fixture
def installation(tmp_path: Path, server: ModelServer) -> Iterator[Installation]:
    with UvicornInstallation(tmp_path, server) as running:
        yield running


@pytest.mark.parametrize("is_held", [False, True], ids=["ends in time", "is interrupted"])
def test_a_running_answer_is_saved_before_the_server_ends(installation, server, is_held):
    server.hold()
    address = installation.ask()
    server.step(3)
    until(lambda: "word2" in installation.text(address, 2))
    installation.site.process.send_signal(signal.SIGTERM)
    if not is_held:
        server.release()
    assert installation.site.process.wait(20) in (0, -signal.SIGTERM)
    state, blocks = installation.read_last_answer()
    assert state == ("interrupted" if is_held else "complete")
    assert ("".join(PIECES[:3]) if is_held else WHOLE) in blocks


def test_an_answer_of_a_killed_process_is_labelled_at_the_next_start_without_a_tab(installation, server):
    server.hold()
    installation.ask()
    installation.end(signal.SIGKILL)
    assert installation.read_last_answer()[0] == "running"
    with UvicornSite(installation.data):
        until(lambda: installation.read_last_answer()[0] == "interrupted")


def test_prepare_prints_the_set_up_link(tmp_path):
    with UvicornSite(tmp_path) as site:
        assert f"Set up the first administrator at {site.url}/accounts/set-up/" in site.prepared


@pytest.mark.parametrize("lacking", ["database", "static files"])
def test_a_site_that_is_not_prepared_does_not_start_and_says_what_to_do(tmp_path, lacking):
    if lacking == "static files":
        assert manage(tmp_path, "migrate").returncode == 0
    port = free_port()
    start = subprocess.run(
        uvicorn(port), cwd=ROOT, env=environment(tmp_path, port), text=True, capture_output=True, timeout=60
    )
    assert start.returncode == 3, start.stderr
    assert "The site is not prepared for this version. Run `python manage.py prepare`" in start.stderr
    assert "Traceback" not in start.stderr
