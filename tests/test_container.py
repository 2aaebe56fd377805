"""The site runs as the Containerfile starts it, with the files that it copies, and answers its health check.

It is the first process of a namespace, has no capability, and finds a read-only root file system with one writable
directory. On a system that lets this user make no namespaces, only the code is read-only.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.browser.site import ADMINISTRATOR, PASSWORD, PATIENCE, ROOT, Site, free_port
from tests.cluster.cluster import Person
from tests.installation import until

INSTRUCTION = re.compile(r"^([A-Z]+) (.*)$", re.MULTILINE)
SECRET = "known-to-tests-only-0123456789-abcdefghijklmnopqrstuvwxyz"
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--no-new-privs"]
NAMESPACES = ["unshare", *(["--map-root-user"] if os.geteuid() else []), "--mount", "--pid", "--fork", "--mount-proc"]
ISOLATION = [
    *NAMESPACES, "--kill-child", "sh", "-c",
    'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"',
]  # fmt: skip


def read_instructions(kind: str) -> list[str]:
    """The arguments of each instruction of this kind."""
    whole = (ROOT / "Containerfile").read_text().replace("\\\n", "")
    return [arguments for name, arguments in INSTRUCTION.findall(whole) if name == kind]


def read_command(arguments: str) -> list[str]:
    """The command in exec form. One in shell form would not get the signal to stop."""
    command = json.loads(arguments[arguments.index("[") :])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def is_ignored(path: str) -> bool:
    """Whether .containerignore leaves out this path. It has a list of what is needed, and folders to leave out."""
    rules = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    top, *parts = Path(path).parts
    left_out = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    return f"!{top}" not in rules or any(fnmatch(part, rule) for part in parts for rule in left_out)


def can_isolate() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*NAMESPACES, "true"], capture_output=True).returncode == 0


class Container(Site):
    """The site as the image starts it, in a directory that has what the image copies."""

    def __init__(self, place: Path, **settings: str) -> None:
        super().__init__(place / "data", place / "app")
        values = dict(pair.split("=", 1) for line in read_instructions("ENV") for pair in line.split())
        assert values.pop("PATH") == "/venv/bin:$PATH"
        self.environment = {
            "PATH": os.environ["PATH"],
            **{name: value.replace("/data", str(self.data)) for name, value in values.items()},
            "PORT": str(self.port),
            **settings,
        }
        assert self.environment["HOST"] == "0.0.0.0"
        self.is_isolated = can_isolate()

    @property
    def command(self) -> list[str]:
        command = read_command(read_instructions("CMD")[-1])
        if self.is_isolated:
            return [*ISOLATION, str(self.data), *WITHOUT_RIGHTS, *command]
        return command if os.geteuid() else [*WITHOUT_RIGHTS, *command]

    def stop(self, patience: float = PATIENCE) -> int:
        """Sends the signal that a container gets to its first process, and returns the exit status."""
        signal_number = signal.Signals[read_instructions("STOPSIGNAL")[0]]
        os.kill(self.find_first_process(), signal_number)
        return self.process.wait(patience)

    def __exit__(self, *_: object) -> None:
        # `unshare` takes its child with it.
        self.process.kill()
        self.process.wait()

    def find_first_process(self) -> int:
        if not self.is_isolated:
            return self.process.pid
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text())

    def is_healthy(self) -> bool:
        check = read_command(read_instructions("HEALTHCHECK")[0])
        # A proxy for other addresses must not be asked for this one.
        proxy = {"http_proxy": f"http://127.0.0.1:{free_port()}"}
        return subprocess.run(check, env=self.environment | proxy, capture_output=True).returncode == 0


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory with the code, which nobody can change, and an empty volume."""
    app = tmp_path / "app"

    def choose(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if is_ignored(str((Path(folder) / name).relative_to(ROOT)))}

    shutil.copytree(ROOT, app, ignore=choose)
    (tmp_path / "data").mkdir(0o700)
    entries = [app, *app.rglob("*")]
    for path in entries:
        path.chmod(path.stat().st_mode & ~0o222)
    yield tmp_path
    for path in entries:
        path.chmod(path.stat().st_mode | 0o200)


def test_the_site_writes_only_to_its_volume_and_stops_at_the_signal(place: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (place / "app").rglob("*")}
    account = {"DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    with Container(place, **account, SHUTDOWN_GRACE="1") as site:
        assert site.is_healthy()
        person = Person(site.url)
        attached = person.http.post(
            "/attachments/",
            files={"files": ("lake.txt", b"Baikal: 1642 metres")},
            headers={"x-csrftoken": person.http.cookies["csrftoken"]},
        )
        assert attached.status_code < 300 and "lake.txt" in attached.text
        address = str(person.post("/turns/", text="Which lake?").headers["location"])
        until(lambda: person.page(address).find("article[data-state=complete]"))
        assert site.stop() == 0, site.console
        assert not site.is_healthy()
    assert {path: path.stat().st_mtime_ns for path in (place / "app").rglob("*")} == before
    assert not list((place / "data" / "tmp").iterdir())
    assert "Traceback" not in "\n".join(site.console)


def test_a_container_that_is_starting_stops_at_the_signal(place: Path) -> None:
    with Container(place):
        waiting = Container(place)
        waiting.spawn()
        waiting.await_line("Waiting for it to stop")
        try:
            assert waiting.stop(5) in (128 + signal.SIGTERM, -signal.SIGTERM)
        finally:
            waiting.__exit__()


def test_the_image_has_the_whole_site_and_nothing_else() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for path in (".env", "var/secret_key", ".git/config", "tests/fakes.py", "chatsite/__pycache__/urls.pyc"):
        assert is_ignored(path), path
    copied = {Path(path).parts[0] for path in tracked if not is_ignored(path)}
    packages = {Path(path).parts[0] for path in tracked if path.endswith("/apps.py")} | {"chatsite", "gateway"}
    assert copied >= {*packages, "static", "templates", "manage.py", "pyproject.toml"}
    # Docker reads the same list by another name.
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()


def test_the_image_runs_without_roots_rights_and_installs_only_packages_with_known_hashes() -> None:
    assert all(int(part) > 0 for part in read_instructions("USER")[-1].split(":"))
    [install] = [step for step in read_instructions("RUN") if "pip install" in step]
    assert "--require-hashes" in install
    assert read_instructions("VOLUME") == [read_instructions("WORKDIR")[0].replace("app", "data")]
