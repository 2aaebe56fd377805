"""Another version of the code starts on the data of this one."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.site import ADMINISTRATOR, PASSWORD, ROOT, Site, manage
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
