"""The people of the tests (Ada and Ben in the team, Mallory outside it) and settings that make signing in fast."""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis

from accounts.models import User
from conversations.live.hub import hub
from tools.models import Tool
from upstreams.client import transport

# `default` tries the same examples every time, even on a busy machine. `thorough` looks for new ones.
# Examples share the fixtures of their test, so a test that changes the database must allow for earlier examples.
hypothesis.register_profile(
    "default",
    hypothesis.get_profile("ci"),
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis.register_profile("thorough", hypothesis.get_profile("default"), derandomize=False, max_examples=5000)
hypothesis.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

PASSWORD = "a quiet reading room"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that use the database of the tests: these also run on PostgreSQL.

    Those about SQLite itself do not.
    """
    if connection.vendor != "sqlite":
        items[:] = [item for item in items if not item.get_closest_marker("sqlite")]
    for item in items:
        if {"db", "transactional_db"} & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("django_db"):
            item.add_marker("database")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Puts SQLite in a file, as in production. In memory, threads would meet locks that a file does not have."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Removes the built-in tools that migrations create. Tests about them create their own."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        Tool.objects.all().delete()
        if connection.vendor == "postgresql":
            patch.setattr(connection.ops, "sql_flush", delete_rows)
        yield
        if connection.vendor == "postgresql":
            end_other_connections()


def delete_rows(style: Any, tables: Iterable[str], **_: bool) -> list[str]:
    """Returns the SQL that empties the tables after a test. For a few rows, TRUNCATE takes ten times as long."""
    deletions = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]
    # Rows that refer to each other are all deleted, so nothing has to be checked.
    return ["; ".join(["SET LOCAL session_replication_role = replica", *deletions])] if deletions else []


def end_other_connections() -> None:
    """Ends the connections of threads that outlive the tests. PostgreSQL does not drop a database that is in use."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(autouse=True)
def quick_settings(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hub, "bus", None)
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    settings.STATIC_ROOT = tmp_path
    settings.MEDIA_ROOT = tmp_path / "uploads"
    cache.clear()
    yield
    cache.clear()
    # A test client runs an async view on its own loop, which closes with the view and leaves the HTTP client open.
    for loop in [loop for loop in transport._sessions if loop.is_closed()]:
        asyncio.run(transport._sessions.pop(loop).close())


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.org", PASSWORD, name="Ada Lovelace")


@pytest.fixture
def ben(db: None) -> User:
    return User.objects.create_user("ben", "ben@example.org", PASSWORD, name="Ben Okri")


@pytest.fixture
def mallory(db: None) -> User:
    """Has an account but takes part in no conversation."""
    return User.objects.create_user("mallory", "mallory@example.org", PASSWORD, name="Mallory")


@pytest.fixture
def root(db: None) -> User:
    """The administrator."""
    return User.objects.create_superuser("root", "root@example.org", PASSWORD, name="Ruth Root")


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """`browser_of(ada)` is a fresh browser in which Ada is signed in."""

    def sign_in(person: User) -> Client:
        client = Client()
        client.force_login(person)
        return client

    return sign_in
