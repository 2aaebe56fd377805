"""A site of SQLite goes on with PostgreSQL, with every row as it was."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.backups.installations import SETTINGS, UPSTREAM_KEY, SignedIn, fill, query, read_upstream_key
from tests.browser.site import ROOT, Site, environment, manage
from tests.installation import until
from tests.postgres import PostgresServer

LARGE = 2_000_000
"""Characters of a long message."""
ODD_BLOCKS = '[{"type": "text", "z": 1.50, "text": "\\u0000 \\ud800 \\u00e9", "a": [1e2, -0.0, null]}]'
ODD_JSON = '{"z": 1, "a": "\\u0000", "lone": "\\udc00", "pair": "\\ud83d\\ude00"}'
REST_OF_USER = "password, is_superuser, email, is_staff, is_active, uses_single_keys"
ODD_ROWS = [
    ("INSERT INTO django_session VALUES ('Zz', 'of Ruth', '2026-01-02 03:04:05.000100')", []),
    ("INSERT INTO django_session VALUES ('aA', 'of Ben', '0999-01-02 03:04:05')", []),
    (
        f"INSERT INTO accounts_user (id, username, date_joined, name, {REST_OF_USER}) "
        f"SELECT 40, 'zoë', '2026-01-01 00:00:00.120000', ?, {REST_OF_USER} FROM accounts_user",
        ["Z\tË\n\\N"],
    ),
    ("UPDATE upstreams_provider SET sealed_key = sealed_key, listing_error = CAST(? AS TEXT)", [b"a\0b\xed\xa0\x80c"]),
    (
        "INSERT INTO conversations_conversation (id, title, created_at, revision, system_prompt, temperature, top_p, "
        "stop_sequences, tool_choice, reasoning_effort, thinking, leaves_out_oldest) VALUES (9, '', "
        "'2026-02-03 04:05:06.789', 2147483647, ?, 0.1, 1e-300, ?, 'auto', '', '', 1)",
        ["\\", ODD_JSON],
    ),
    ("INSERT INTO conversations_branch (id, conversation_id, created_at) VALUES (3, 9, '2026-02-03 04:05:06')", []),
    (
        "INSERT INTO conversations_message (id, role, revision, shown_since, created_at, key, branch_id, "
        "conversation_id, memory_begins, blocks) VALUES (5, 'user', 1, 1, '2026-02-03 04:05:06', ?, 3, 9, 0, ?)",
        ["0123456789abcdef0123456789abcdef", ODD_BLOCKS],
    ),
    ("UPDATE sqlite_sequence SET seq = 77 WHERE name = 'conversations_message'", []),
    ("DELETE FROM auth_permission WHERE id % 3 = 0", []),
]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled site that no test changes."""
    data = tmp_path_factory.mktemp("site") / "data"
    fill(data)
    return data


@pytest.fixture
def copy(data: Path, tmp_path: Path) -> Path:
    """A copy of the site, which a test may change."""
    with closing(sqlite3.connect(data / "db.sqlite3")) as source:
        (tmp_path / "copy").mkdir()
        with closing(sqlite3.connect(tmp_path / "copy" / "db.sqlite3")) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = WAL")
    for name in ("secret_key", "sealing_key"):
        (tmp_path / "copy" / name).write_bytes((data / name).read_bytes())
    return tmp_path / "copy"


def change(data: Path, *statements: tuple[str, list[Any]]) -> None:
    with closing(sqlite3.connect(data / "db.sqlite3")) as database, database:
        for sql, values in statements:
            database.execute(sql, values)


def move(data: Path, url: str) -> subprocess.CompletedProcess[str]:
    return manage(data, "move", url, SECRET_KEY="")


def read_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, options="-c timezone=UTC") as database:
        return database.execute(sql).fetchall()  # type: ignore[call-overload]


@pytest.mark.rare
def test_settings_of_the_database_cost_no_digits(copy: Path, postgres: PostgresServer, tmp_path: Path) -> None:
    change(copy, *ODD_ROWS, ("UPDATE conversations_conversation SET temperature = ?", [0.1 + 0.2]))
    url, backup, back = postgres.create_database(), tmp_path / "chat.tar", tmp_path / "back"
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(
            f'ALTER DATABASE "{database.info.dbname}" SET extra_float_digits = -5'.encode()  # noqa: S608
        )
    moved = move(copy, url)
    assert moved.returncode == 0, moved.stderr
    assert manage(copy, "backup", str(backup), SECRET_KEY="", DATABASE_URL=url).returncode == 0
    assert manage(back, "restore", str(backup), SECRET_KEY="").returncode == 0
    assert query(back, "SELECT temperature FROM conversations_conversation") == [(0.1 + 0.2,)]


def test_odd_values_arrive_and_come_back(copy: Path, postgres: PostgresServer, tmp_path: Path) -> None:
    change(copy, *ODD_ROWS)
    before, url = read_digest(copy / "db.sqlite3"), postgres.create_database()
    moved = move(copy, url)
    assert moved.returncode == 0, moved.stderr
    assert "conversations_message: 1 row\n" in moved.stdout
    assert f"DATABASE_URL={url}" in moved.stdout
    assert sorted(moved.stderr.splitlines()) == [
        f"PostgreSQL cannot store some characters of {where}: they are replaced by U+FFFD."
        for where in (
            "conversations_conversation, row 9, column stop_sequences",
            "upstreams_provider, row 1, column listing_error",
        )
    ]
    assert read_digest(copy / "db.sqlite3") == before

    assert fetch(url, "SELECT blocks::text FROM conversations_message") == [(ODD_BLOCKS,)]
    [(conversation,)] = fetch(url, "SELECT row_to_json(c) FROM conversations_conversation c")
    assert conversation["stop_sequences"] == {"z": 1, "a": "\ufffd", "lone": "\ufffd", "pair": "\U0001f600"}
    assert (conversation["temperature"], conversation["top_p"], conversation["system_prompt"]) == (0.1, 1e-300, "\\")
    assert fetch(url, "SELECT listing_error FROM upstreams_provider") == [("a\ufffdb\ufffd\ufffd\ufffdc",)]
    assert fetch(url, "SELECT name, date_joined::text FROM accounts_user WHERE id = 40") == [
        ("Z\tË\n\\N", "2026-01-01 00:00:00.12+00")
    ]
    assert fetch(url, "SELECT session_key, expire_date::text FROM django_session ORDER BY 2") == [
        ("aA", "0999-01-02 03:04:05+00"),
        ("Zz", "2026-01-02 03:04:05.0001+00"),
    ]
    for table in ("auth_permission", "django_content_type", "django_migrations"):
        ids = f"SELECT id FROM {table} ORDER BY id"
        assert fetch(url, ids) == query(copy, ids)
    # A number that a deleted row had is not given to another one.
    assert fetch(url, "SELECT nextval(pg_get_serial_sequence('conversations_message', 'id'))") == [(78,)]
    assert fetch(url, "SELECT nextval(pg_get_serial_sequence('accounts_user', 'id'))") == [(41,)]

    backup, back = tmp_path / "chat.tar", tmp_path / "back"
    assert manage(copy, "backup", str(backup), SECRET_KEY="", DATABASE_URL=url).returncode == 0
    assert manage(back, "restore", str(backup), SECRET_KEY="").returncode == 0
    for table in ("conversations_message", "accounts_user", "django_session", "auth_permission"):
        rows = f"SELECT * FROM {table} ORDER BY 1"
        assert query(back, rows) == query(copy, rows), table
    last = "SELECT seq FROM sqlite_sequence WHERE name = 'conversations_message'"
    assert query(back, last) == [(78,)]


def test_the_moved_site_works(data: Path, postgres: PostgresServer) -> None:
    url = postgres.create_database()
    assert move(data, url).returncode == 0
    on_postgres = {"DATABASE_URL": url}
    with Site(data, **SETTINGS, **on_postgres) as site, SignedIn(site) as browser:
        for (key,) in fetch(url, "SELECT uuid FROM conversations_attachment"):
            assert browser.http.get(f"/attachments/{key}/").status_code == 200
        assert browser.post("/turns/", data={"text": "Anybody here?"}).status_code in (201, 302)
    assert len(fetch(url, "SELECT id FROM conversations_conversation")) == 1
    assert read_upstream_key(data, **on_postgres) == UPSTREAM_KEY


REFUSED = {
    "a long name": (
        ("UPDATE accounts_user SET name = ?", ["x" * 151]),
        "accounts_user (id 1, column name): value too long",
    ),
    "a large number": (
        ("UPDATE upstreams_provider SET answer_timeout = 3000000000", []),
        "upstreams_provider (id 1, column answer_timeout)",
    ),
    "a word for a number": (
        ("UPDATE conversations_attachment SET pages = 'many' WHERE id = 4", []),
        "conversations_attachment (id 4, column pages)",
    ),
    "a reference to nothing": (("UPDATE conversations_attachment SET owner_id = 99 WHERE id = 4", []), "(99) is not"),
    "names that differ in their case": (
        (
            f"INSERT INTO accounts_user (username, date_joined, name, {REST_OF_USER}) "
            f"SELECT column1, date_joined, name, {REST_OF_USER} FROM accounts_user, (VALUES ('ZOË'), ('zoë'))",
            [],
        ),
        "already exists",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_row_that_postgres_refuses_is_named_and_nothing_is_moved(
    copy: Path, postgres: PostgresServer, case: str
) -> None:
    statement, reason = REFUSED[case]
    url = postgres.create_database()
    change(copy, statement)
    refusal = move(copy, url)
    assert (refusal.returncode, refusal.stderr.count("\n")) == (1, 1), refusal.stderr
    assert reason in refusal.stderr
    assert fetch(url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace") == []


def test_a_place_that_does_not_fit_is_a_sentence(data: Path, postgres: PostgresServer) -> None:
    url = postgres.create_database()
    with psycopg.connect(url) as database:
        database.execute("CREATE TABLE mine ()")
    for target, reason in (
        (url, "is not empty"),
        (url.replace("/site_", "/no_site_"), "does not exist"),
        ("postgres://somebody:secret@127.0.0.1:1/site", "Could not connect to the database"),
        (f"sqlite:///{data}/other.sqlite3", "Name the PostgreSQL database"),
        ("postgres://somebody:sec/ret@127.0.0.1/site", "The host or the port of the address cannot be read"),
        ("nonsense", "Name the PostgreSQL database"),
    ):
        refusal = move(data, target)
        assert (refusal.returncode, refusal.stderr.strip().count("\n")) == (1, 0), refusal.stderr
        assert reason in refusal.stderr
        assert "secret" not in refusal.stderr and "sec/ret" not in refusal.stderr
    refusal = manage(data, "move", url, SECRET_KEY="", DATABASE_URL=url)
    assert "does not use SQLite" in refusal.stderr
    with Site(data, **SETTINGS):
        assert "is running" in move(data, postgres.create_database()).stderr


@pytest.mark.parametrize("table", ["accounts_user", pytest.param("upstreams_provider", marks=pytest.mark.rare)])
def test_a_killed_move_is_not_taken_for_a_site(data: Path, postgres: PostgresServer, table: str) -> None:
    url = postgres.create_database()
    command = [sys.executable, "manage.py", "move", url]
    moving = subprocess.Popen(
        command, cwd=ROOT, env=environment(data, 1, SECRET_KEY=""), stdout=subprocess.PIPE, text=True
    )
    assert moving.stdout
    next(line for line in moving.stdout if line.startswith(table))
    moving.send_signal(signal.SIGKILL)
    moving.wait()
    moving.stdout.close()
    until(lambda: fetch(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == [(1,)])
    if fetch(url, "SELECT to_regclass('chatsite_upgrade')") == [(None,)]:
        refusal = manage(data, "serve", SECRET_KEY="", DATABASE_URL=url)
        assert (refusal.returncode, "did not finish. Run that command again." in refusal.stderr) == (1, True)
        assert move(data, url).returncode == 0
    assert fetch(url, "SELECT count(*) FROM conversations_attachment") == [(6,)]
    assert manage(data, "migrate", "--check", SECRET_KEY="", DATABASE_URL=url).returncode == 0


def run_and_measure(data: Path, *command: str, **settings: str) -> int:
    """Runs a command. Returns the most memory that it had, in bytes."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment(data, 1, SECRET_KEY="", **settings)
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    return int(usage.ru_maxrss) * 1024


@pytest.mark.rare
def test_a_large_database_does_not_have_to_fit_into_memory(
    copy: Path, postgres: PostgresServer, tmp_path: Path
) -> None:
    """Each step may take little more memory than for a small database, though the rows are 200 MB."""
    url, small = postgres.create_database(), tmp_path / "small.tar"
    least = run_and_measure(copy, "backup", str(small))
    change(copy, *ODD_ROWS[4:7])
    blocks = json.dumps([{"type": "text", "text": "x" * LARGE}])
    message = "SELECT role, revision, shown_since, created_at, branch_id, conversation_id, memory_begins, ? FROM"
    names = "role, revision, shown_since, created_at, branch_id, conversation_id, memory_begins, blocks"
    long = f"INSERT INTO conversations_message ({names}) {message} conversations_message WHERE id = 5"
    change(copy, *[(long, [blocks])] * 100)
    allowed = least + 60_000_000
    large = tmp_path / "large.tar"
    assert run_and_measure(copy, "backup", str(large)) < allowed
    assert large.stat().st_size > 100 * LARGE
    assert run_and_measure(copy, "move", url) < allowed
    assert run_and_measure(copy, "backup", str(large), DATABASE_URL=url) < allowed
    other = postgres.create_database()
    assert run_and_measure(tmp_path / "on-postgres", "restore", str(large), DATABASE_URL=other) < allowed
    assert run_and_measure(tmp_path / "on-sqlite", "restore", str(large)) < allowed
