"""systemd hears when the site is ready, that it does not hang, and that it stops; its units fit the settings."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, which
from uuid import uuid4

import httpx
import pytest
from django.conf import settings

from chatsite.management.commands.serve import STOPPING
from chatsite.serving import open_files
from tests.browser.site import PATIENCE, ROOT, Site
from tests.test_lifespan import UvicornSite

UNITS = ROOT / "docs" / "systemd"
PAUSE = 0.2
"""Seconds between two signs of life."""


class Supervisor:
    """The end of the socket that systemd has."""

    def __init__(self) -> None:
        name = f"chatsite-{uuid4()}"
        self.address = f"@{name}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{name}")
        self._socket.settimeout(PATIENCE)

    def hear(self) -> str:
        return self._socket.recv(100).decode()

    def await_state(self, state: str) -> None:
        while self.hear() != state:
            pass

    def hears_nothing(self, seconds: float) -> bool:
        self._socket.settimeout(seconds)
        try:
            return not self.hear()
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    listening = Supervisor()
    yield listening
    listening.close()


@pytest.mark.parametrize("kind", [Site, UvicornSite])
def test_systemd_hears_of_each_step(tmp_path: Path, supervisor: Supervisor, kind: type[Site]) -> None:
    settings = {"NOTIFY_SOCKET": supervisor.address, "WATCHDOG_USEC": str(int(2 * PAUSE * 1e6))}
    with kind(tmp_path, **settings) as site:
        assert supervisor.hear() == "READY=1"
        assert httpx.get(f"{site.url}/readyz").status_code == 200
        for _ in range(5):
            supervisor.await_state("WATCHDOG=1")
        site.process.send_signal(signal.SIGSTOP)
        while not supervisor.hears_nothing(5 * PAUSE):
            pass
        site.process.send_signal(signal.SIGCONT)
        supervisor.await_state("WATCHDOG=1")
        site.process.send_signal(signal.SIGTERM)
        supervisor.await_state("STOPPING=1")
        site.process.wait(PATIENCE)


def test_a_socket_that_is_gone_does_not_matter(tmp_path: Path) -> None:
    with Site(tmp_path, NOTIFY_SOCKET=str(tmp_path / "gone")) as site:
        site.process.send_signal(signal.SIGTERM)
        assert site.process.wait(PATIENCE) == 0


def read_unit(name: str) -> dict[str, str]:
    """The last value of each key of a unit, with what all units have in common."""
    lines = [line for path in (UNITS / name, UNITS / "chatsite-.service.d" / "common.conf")
             for line in path.read_text().splitlines()]  # fmt: skip
    return dict(line.split("=", 1) for line in lines if "=" in line and line[0] not in "#[")


@pytest.mark.parametrize("name", ["chatsite-web@.service", "chatsite-work@.service"])
def test_the_units_let_the_site_end_its_work(name: str) -> None:
    unit = read_unit(name)
    assert int(unit["TimeoutStopSec"]) >= settings.SHUTDOWN_GRACE + STOPPING + 10
    assert int(unit["LimitNOFILE"]) == open_files.MOST
    assert (unit["KillMode"], unit["Type"]) == ("mixed", "notify")
    python, script, command = unit["ExecStart"].split()
    assert python.startswith(unit["WorkingDirectory"]) and script == "manage.py"
    assert (ROOT / "chatsite" / "management" / "commands" / f"{command}.py").exists()
    # It writes only there.
    assert unit["ProtectSystem"] == "strict"
    assert f"DATA_DIR=/var/lib/{unit['StateDirectory']}" in (UNITS / "chatsite-.service.d" / "common.conf").read_text()


@pytest.mark.parametrize("instance", ["chatsite-web@8000", "chatsite-work@1"])
def test_systemd_accepts_the_units(tmp_path: Path, instance: str) -> None:
    program = which("systemd-analyze")
    if program is None:
        # Elsewhere there is no systemd that could read them.
        return
    copytree(UNITS, tmp_path, dirs_exist_ok=True)
    for path in (*tmp_path.glob("*.service"), *tmp_path.glob("*/*.conf")):
        path.write_text(path.read_text().replace("/opt/chatsite", str(ROOT)))
    unit = tmp_path / f"{instance}.service"
    unit.write_bytes((tmp_path / f"{instance.partition('@')[0]}@.service").read_bytes())
    environment = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    verified = subprocess.run([program, "verify", str(unit)], env=environment, capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
