"""A site that cannot start says why in one sentence, whatever it lacks."""

import ctypes
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.db import OperationalError

from chatsite import postgresql
from tests.browser.site import ROOT, Site, environment, free_port, manage
from tests.locks import locked_database
from tests.postgres import PostgresServer
from tests.redis_server import RedisServer
from tests.test_dependencies import OPTIONAL

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
COMMANDS = pytest.mark.parametrize("command", ["serve", "prepare"])


def fail_to_start(
    data: Path, command: str = "serve", before: Callable[[], object] = lambda: None, **settings: str
) -> str:
    """Starts a site that cannot start. Returns its error message."""
    start = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=ROOT,
        env=environment(data, free_port(), **settings),
        text=True,
        capture_output=True,
        timeout=120,
        preexec_fn=before,
    )
    assert start.returncode == 1, (start.returncode, start.stderr)
    message = start.stderr.strip()
    assert "Traceback" not in message and message.count("\n") == 0, message
    return message


def limit_files_to(size: int) -> Callable[[], None]:
    """Makes writes beyond this many bytes of a file fail, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def obey_permissions() -> None:
    """Takes root's right to write everywhere."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@COMMANDS
@pytest.mark.parametrize("size", [0, 20_000, 200_000], ids=["no secret", "no static files", "no database"])
def test_a_full_disk(tmp_path: Path, size: int, command: str) -> None:
    settings = {"SECRET_KEY": ""} if size == 0 else {"DEBUG": "true"} if size == 200_000 else {}
    message = fail_to_start(tmp_path, command, limit_files_to(size), **settings)
    assert "The disk is full" in message or "Check the disk and its free space" in message


@COMMANDS
def test_a_directory_that_cannot_be_written(tmp_path: Path, command: str) -> None:
    data = tmp_path / "data"
    data.mkdir(0o500)
    assert f"chatsite cannot write {data}" in fail_to_start(data, command, obey_permissions)


def test_a_data_directory_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in fail_to_start(tmp_path / "file")
    tmp_path.chmod(0o500)
    assert f"chatsite cannot write {tmp_path / 'data'}" in fail_to_start(tmp_path / "data", before=obey_permissions)


def test_a_database_that_cannot_be_written(tmp_path: Path) -> None:
    database = tmp_path / "elsewhere" / "db.sqlite3"
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE anything (id)")
    database.chmod(0o400)
    database.parent.chmod(0o500)
    message = fail_to_start(tmp_path / "data", before=obey_permissions, DATABASE_URL=f"sqlite:///{database}")
    assert str(database) in message and "write" in message


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"SQLite format 3\0" + b"\xff" * 10_000])
def test_a_database_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "db.sqlite3").write_bytes(content)
    assert f"{tmp_path / 'db.sqlite3'} is not an SQLite database" in fail_to_start(tmp_path)


def test_a_locked_database(tmp_path: Path) -> None:
    with locked_database(tmp_path / "db.sqlite3"):
        assert f"The database {tmp_path / 'db.sqlite3'} is locked by another program" in fail_to_start(tmp_path)


@pytest.mark.parametrize(
    "setting, words",
    [
        *(("PORT=http", "PORT must be a whole number."), ("PORT=", "PORT must be a whole number.")),
        ("ATTACHMENT_SIZE=much", "ATTACHMENT_SIZE must be a number."),
        ("ATTACHMENT_SIZE=nan", "ATTACHMENT_SIZE must be a number."),
        ("HTTPS=perhaps", "HTTPS must be true or false."),
        ("CURRENCY=dollars", "CURRENCY must be an ISO 4217 code"),
        ("ANTHROPIC_BASE_URL=ftp://example.org", "ANTHROPIC_BASE_URL must begin with http:// or https://"),
        *(
            (f"DATABASE_URL={url}", "must name an SQLite or a PostgreSQL database")
            for url in ("chat", "mysql://db/chat")
        ),
        *((f"DATABASE_URL=postgres://{rest}", "must name a database") for rest in ("ada@db", "")),
        *((f"DATABASE_CONNECTIONS={few}", "DATABASE_CONNECTIONS must be at least 4") for few in ("0", "-1", "3")),
        ("DATABASE_CONNECTIONS=many", "DATABASE_CONNECTIONS must be a whole number."),
        *((f"REDIS_URL={url}", "REDIS_URL must begin with redis://") for url in ("cache:6379", "http://cache/0")),
        ("REDIS_URL=redis://cache/zero", "REDIS_URL must end in the number of a database"),
        ("REDIS_URL=redis://cache/0?socket_timeout=long", "An option of REDIS_URL cannot be used"),
    ],
)
def test_a_setting_that_cannot_be_used(tmp_path: Path, setting: str, words: str) -> None:
    name, value = setting.split("=", 1)
    message = fail_to_start(tmp_path, **{"DATABASE_URL": "postgres://ada@db/chat", name: value})
    assert message.startswith("The settings cannot be used: ") and words in message


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda url: url.replace("/postgres?", "/missing?"), 'database "missing" does not exist'),
        (lambda url: url.replace("postgres@", "nobody@"), 'role "nobody" does not exist'),
        (lambda url: f"{url}&kind=any", 'invalid connection option "kind"'),
    ],
)
def test_postgresql_says_why_it_refuses(
    tmp_path: Path, postgres: PostgresServer, change: Callable[[str], str], words: str
) -> None:
    message = fail_to_start(tmp_path, DATABASE_URL=change(postgres.url))
    assert message.startswith("CommandError: Could not connect to the database:") and words in message


def test_postgresql_that_does_not_answer_may_be_about_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    class Connection:
        vendor, settings_dict = "postgresql", {"OPTIONS": {}}
        words = iter(["Connection refused", "FATAL:  the database system is starting up", "FATAL:  no such role"])

        def copy(self) -> "Connection":
            return self

        def close(self) -> None:
            assert self.settings_dict["OPTIONS"]["pool"] is False

        def ensure_connection(self) -> None:
            tried.append(next(self.words))
            raise OperationalError(tried[-1])

    monkeypatch.setattr(postgresql, "connection", Connection())
    monkeypatch.setattr(postgresql, "PAUSE", 0)
    with pytest.raises(OperationalError, match="no such role"):
        postgresql.wait_for_database()
    assert len(tried) == 3


def test_redis_says_why_it_refuses(tmp_path: Path) -> None:
    server = RedisServer()
    try:
        message = fail_to_start(tmp_path, REDIS_URL=f"{server.url}999")
    finally:
        server.kill()
    assert message == "CommandError: Redis cannot be used with this REDIS_URL: DB index is out of range"


def test_the_limit_of_open_files_is_raised_and_named(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=environment(tmp_path, free_port()),
        text=True,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1000)),
    )
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert "This process can open 1,000 files, which is enough for about 400 tabs.\n" in lines
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (1000, 1000)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "setting, package", [("DATABASE_URL=postgres://ada@db/chat", "psycopg_pool"), ("REDIS_URL=redis://x", "redis")]
)
def test_a_package_that_a_setting_needs_is_missing(tmp_path: Path, setting: str, package: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules[{package!r}] = None")
    name, value = setting.split("=")
    message = fail_to_start(tmp_path / "data", **{name: value}, PYTHONPATH=str(tmp_path))
    assert f"{name} needs packages that are not installed ({package})" in message
    assert "requirements-scale.txt" in message


def test_a_site_on_sqlite_needs_no_package_for_postgresql_and_redis(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules |= dict.fromkeys({[*OPTIONAL]})")
    data, settings = tmp_path / "data", {"PYTHONPATH": str(tmp_path)}
    with Site(data, **settings):
        pass
    commands = [("prepare",), ("backup", str(tmp_path / "chat.tar")), ("doctor", "--offline")]
    for command in [*commands, ("work", "--help"), ("restore", "--help"), ("unlock", "--help")]:
        done = manage(data, *command, **settings)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    refusal = manage(data, "move", "postgres://ada@db/chat", **settings)
    assert refusal.stderr.startswith("CommandError: The site was not moved. Moving to PostgreSQL needs packages")


@pytest.mark.parametrize(
    "line, needs_more",
    [
        *(("DATABASE_URL=postgres://ada@db/chat", True), ('export DATABASE_URL="postgresql://db/chat"', True)),
        *(("REDIS_URL=redis://localhost", True), ("REDIS_URL=", False), ("DATABASE_URL=sqlite:////data/chat", False)),
        *(("# DATABASE_URL=postgres://ada@db/chat", False), ("", False)),
    ],
)
def test_make_installs_what_the_env_file_needs(tmp_path: Path, line: str, needs_more: bool) -> None:
    for name in ("Makefile", "requirements.txt", "requirements-scale.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".env").write_text(f"{line}\n")
    outside = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    command = ["make", "--dry-run", "serve", f"PYTHON={sys.executable}"]
    plan = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert "manage.py serve" in plan.stdout, plan.stderr
    assert ("requirements-scale.txt" in plan.stdout) is needs_more
