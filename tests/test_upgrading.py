"""Another version of the code starts on the data of this one."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from django.core.management import call_command

from chatsite.installation.version import find_recorded_version, find_unknown, list_applied_migrations, read_version
from chatsite.models import Upgrade
from tests.browser.site import ADMINISTRATOR, PASSWORD, PATIENCE, ROOT, Site, environment, free_port, manage
from tests.pages import Page

ACCOUNT = {"DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
LONG_AGO = 1_000_000_000.0
"""A file time before any file of this version was written."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code in which every file is old, as after unpacking an archive of an earlier version."""
    copy = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "var", "tests", "bench")
    shutil.copytree(ROOT, copy, ignore=ignored)
    (copy / "static" / "css" / "another.css").write_text("/* another version */")
    base, first = copy / "templates" / "base.html", """<link rel="stylesheet" href="{% static 'css/"""
    base.write_text(base.read_text().replace(first, f"{first}another.css' %}}\">\n{first}", 1))
    for path in copy.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return copy


def read_styles(site: Site) -> Iterator[str]:
    """Yields each style sheet of the sign-in page."""
    page = httpx.get(f"{site.url}/accounts/login/")
    assert page.status_code == 200
    for link in Page(page.text).find("link[rel=stylesheet]"):
        style = httpx.get(site.url + link.get("href"))
        assert style.status_code == 200
        yield style.text


def test_each_version_serves_its_own_static_files_whatever_their_times(tmp_path: Path, checkout: Path) -> None:
    for root, is_changed in ((ROOT, False), (checkout, True), (ROOT, False)):
        with Site(tmp_path / "data", root=root, **ACCOUNT) as site:
            assert any("another version" in style for style in read_styles(site)) is is_changed


def test_static_files_that_another_version_collected_by_hand_are_replaced(tmp_path: Path, checkout: Path) -> None:
    data = tmp_path / "data"
    with Site(data, root=checkout, **ACCOUNT):
        pass
    # Without --clear, the mark of the other version stays.
    assert manage(data, "collectstatic", "--no-input").returncode == 0
    with Site(data, root=checkout, **ACCOUNT) as site:
        assert any("another version" in style for style in read_styles(site))


@pytest.fixture
def newer_database(tmp_path: Path) -> Path:
    """The data of a site that a later version has served."""
    data = tmp_path / "newer"
    with Site(data, **ACCOUNT):
        pass
    with closing(sqlite3.connect(data / "db.sqlite3", autocommit=True)) as database:
        database.execute("UPDATE chatsite_upgrade SET version = '99.1.0'")
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('tools', '0099_later', '2030-01-01')"
        )
        database.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('later', '0001', '2030-01-01')")
    return data


def dump(data: Path) -> list[str]:
    with closing(sqlite3.connect(data / "db.sqlite3")) as database:
        return list(database.iterdump())


def test_an_older_version_refuses_a_newer_database_and_names_its_version(newer_database: Path) -> None:
    before = dump(newer_database)
    for command in (("serve",), ("migrate",), ("check", "--database=default")):
        refusal = manage(newer_database, *command)
        assert refusal.returncode == 1
        assert "The database was last changed by chatsite 99.1.0. This is chatsite" in refusal.stderr
        assert "does not know its migration later.0001 and 1 more" in refusal.stderr
        assert "Traceback" not in refusal.stderr
    assert dump(newer_database) == before


def test_another_asgi_server_refuses_a_newer_database(newer_database: Path) -> None:
    command = [sys.executable, "-m", "uvicorn", "chatsite.asgi:application", "--port", str(free_port())]
    refusal = subprocess.run(
        command, cwd=ROOT, env=environment(newer_database, 1), capture_output=True, text=True, timeout=PATIENCE
    )
    assert refusal.returncode != 0
    assert "The database was last changed by chatsite 99.1.0." in refusal.stderr


def test_a_newer_database_without_a_recorded_version_is_refused(newer_database: Path) -> None:
    with closing(sqlite3.connect(newer_database / "db.sqlite3", autocommit=True)) as database:
        database.execute("DROP TABLE chatsite_upgrade")
    assert "The database was last changed by a newer chatsite." in manage(newer_database, "serve").stderr


@pytest.mark.django_db
def test_the_database_names_the_version_that_migrated_it_last() -> None:
    Upgrade.objects.all().delete()
    for _ in range(2):
        call_command("migrate", verbosity=0)
    assert list(Upgrade.objects.values_list("version", flat=True)) == [read_version()]
    Upgrade.objects.create(version="0.0.1")
    call_command("migrate", verbosity=0)
    assert find_recorded_version() == read_version()


@pytest.mark.django_db
def test_migrations_that_were_squashed_are_known() -> None:
    assert find_unknown(list_applied_migrations()) == []
    assert find_unknown(["account.0001_initial", "nowhere.0001_initial"]) == ["nowhere.0001_initial"]
