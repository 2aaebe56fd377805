"""The people of the tests (Ada and Ben in the team, Mallory outside it) and settings that make signing in fast."""

import asyncio
import os
from collections.abc import Callable, Iterator
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

    Those about SQLite's lock, which PostgreSQL does not have, do not.
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
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Removes the built-in tools that migrations create. Tests about them create their own."""
    with django_db_blocker.unblock():
        Tool.objects.all().delete()


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
