"""`make serve` says what it installs, once, and fails if the packages could not be installed."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WHEEL = "tiny-1.0-py3-none-any.whl"


class Index(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of a package index with one package."""
    folder = tmp_path / "index" / "tiny"
    folder.mkdir(parents=True)
    facts = "tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr(f"{facts}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{facts}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Index, directory=folder.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def project(tmp_path: Path, index: str) -> Path:
    """A project with this Makefile, one requirement, and a site that says that it runs."""
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(ROOT / "Makefile", project)
    digest = hashlib.sha256((tmp_path / "index" / "tiny" / WHEEL).read_bytes()).hexdigest()
    (project / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    (project / "manage.py").write_text("import tiny\nprint('serving')\n")
    return project


def make_serve(project: Path, index: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE"))}
    environment = {**outside, "PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "no_proxy": "*"}
    return subprocess.run(
        ["make", "serve", f"PYTHON={sys.executable}"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_first_start_says_what_it_does_and_the_second_start_nothing(project: Path, index: str) -> None:
    first = make_serve(project, index)
    assert first.returncode == 0, first.stderr
    creating, installing, package, unpacking, serving = first.stdout.splitlines()
    assert creating.startswith("Creating .venv with ")
    assert installing.startswith("Installing the packages of requirements.txt.")
    assert (package, unpacking, serving) == ("  tiny==1.0", "Unpacking the packages", "serving")
    assert make_serve(project, index).stdout == "serving\n"


def test_packages_that_cannot_be_installed_end_the_start_each_time(project: Path, index: str) -> None:
    assert make_serve(project, index).returncode == 0
    (project / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    os.utime(project / ".venv" / ".installed", (0, 0))
    shutil.rmtree(next((project / ".venv" / "lib").glob("python*")) / "site-packages" / "tiny-1.0.dist-info")
    for _ in range(2):
        failed = make_serve(project, index)
        assert failed.returncode != 0
        assert "HASH" in failed.stderr.upper()
        assert "serving" not in failed.stdout
