"""`make serve` says what it installs, once, and fails if the packages could not be installed."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NO_INDEX = "http://127.0.0.1:9/"
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


def make(target: str, project: Path, index: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE"))}
    environment = {**outside, "PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "no_proxy": "*"}
    return subprocess.run(
        ["make", target, f"PYTHON={sys.executable}"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def make_serve(project: Path, index: str) -> subprocess.CompletedProcess[str]:
    return make("serve", project, index)


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


@pytest.fixture
def unpacked(project: Path, index: str, tmp_path: Path) -> Path:
    """The project as a machine without an index gets it."""
    (project / "requirements-scale.txt").write_bytes((project / "requirements.txt").read_bytes())
    (project / ".env").write_text("# not for others\n")
    (project / ".gitignore").write_text(".*\nwheelhouse/\ndist/\n")
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    made = make("wheelhouse", project, index)
    assert made.returncode == 0, made.stderr
    with tarfile.open(project / "dist" / "chatsite.tar.gz") as archive:
        archive.extractall(tmp_path / "offline", filter="data")
    return tmp_path / "offline" / "chatsite"


def test_an_archive_with_its_packages_needs_no_index(unpacked: Path) -> None:
    assert sorted(path.name for path in unpacked.iterdir()) == [
        "Makefile", "manage.py", "requirements-scale.txt", "requirements.txt", "wheelhouse",
    ]  # fmt: skip
    first = make_serve(unpacked, NO_INDEX)
    assert first.returncode == 0, first.stderr
    assert "Installing the packages of requirements.txt from wheelhouse/.\n" in first.stdout
    assert first.stdout.endswith("serving\n")
    # PostgreSQL's packages come from there too.
    (unpacked / ".env").write_text("DATABASE_URL=postgres://ada@db.example/chat\n")
    assert make_serve(unpacked, NO_INDEX).stdout.endswith("serving\n")
    # One that belongs to another version.
    requirements = unpacked / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("tiny==1.0", "tiny==2.0"))
    os.utime(unpacked / ".venv" / ".installed", (0, 0))
    failed = make_serve(unpacked, NO_INDEX)
    assert failed.returncode != 0
    assert "Does wheelhouse/ belong to another version or machine?" in failed.stderr
