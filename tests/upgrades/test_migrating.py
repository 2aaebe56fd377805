"""Data that earlier versions wrote is all there after the migrations, and every page of it opens.

Each `.sql` file beside this one is the SQLite database of one version, filled by that version's own code: `first` has
people, a provider and a conversation with two branches; `ledger` also has a file, an API key, a budget, booked calls
and tools; `processes` also has an answer that was being written when its process was killed, an unsent text, and what a
person allowed a tool. For a release, add its dump: `sqlite3 db.sqlite3 .dump`.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.backups.installations import query
from tests.browser.site import PASSWORD, Site, manage
from tests.pages import Page

VERSIONS = sorted(Path(__file__).parent.glob("*.sql"))
SEALING_KEY = "of the fixtures"
FILE_KEY = "00000000-0000-0000-0000-000000000007"
PAGES = [
    "/", "/conversations/", "/conversations/1/members/", "/conversations/1/context/", "/accounts/", "/account/keys/",
    "/account/usage/", "/account/usage/calls.csv", "/settings/usage/", "/settings/budgets/", "/settings/keys/",
    "/settings/providers/", "/settings/providers/1/", "/settings/models/1/", "/settings/tools/", "/admin/",
    "/admin/conversations/message/", "/admin/accounts/user/1/change/",
]  # fmt: skip
RENAMED = {"conversations_toolcall": "conversations_toolapproval"}
# Rows that belong to the code rather than to people.
DERIVED = {"django_content_type", "auth_permission", "django_migrations", "sqlite_sequence", "chatsite_process"}


@pytest.fixture(params=VERSIONS, ids=lambda path: path.stem)
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        database.executescript(request.param.read_text())
    for (stored,) in list_attachments(tmp_path):
        path = tmp_path / "uploads" / stored
        path.parent.mkdir(parents=True)
        path.write_text("Baikal: 1642 metres")
    return tmp_path


def list_attachments(data: Path) -> list[tuple[str]]:
    exists = query(data, "SELECT 1 FROM sqlite_master WHERE name = 'conversations_attachment'")
    return query(data, "SELECT stored FROM conversations_attachment") if exists else []


def count_rows(data: Path) -> dict[str, int]:
    tables = [name for (name,) in query(data, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: query(data, f'SELECT count(*) FROM "{name}"')[0][0] for name in tables if name not in DERIVED}


def sign_in(site: Site, username: str) -> httpx.Client:
    browser = httpx.Client(base_url=site.url, timeout=60, follow_redirects=True)
    browser.get("/accounts/login/")
    answer = browser.post(
        "/accounts/login/",
        data={"login": username, "password": PASSWORD},
        headers={"x-csrftoken": browser.cookies["csrftoken"]},
    )
    assert answer.url.path == "/"
    return browser


def test_data_of_an_earlier_version_is_all_there(data: Path) -> None:
    before, had_file = count_rows(data), bool(list_attachments(data))
    was_killed = bool(query(data, "SELECT 1 FROM conversations_generation WHERE state = 'running'"))
    with Site(data, SEALING_KEY=SEALING_KEY) as site:
        assert manage(data, "migrate", "--check", SEALING_KEY=SEALING_KEY).returncode == 0
        after = count_rows(data)
        for table, count in before.items():
            assert after[RENAMED.get(table, table)] >= count, table
        with closing(sign_in(site, "ada")) as ada, closing(sign_in(site, "ben")) as ben:
            for address in PAGES:
                assert ada.get(address).status_code == 200, address
            for browser in (ada, ben):
                assert list(read_branches(browser)) == [
                    "Which lake is the deepest? Lake Baikal. And the largest? The Caspian Sea.",
                    "Which lake is the deepest? Lake Baikal. And the largest? Lake Superior, if the Caspian is a sea.",
                ]
            if had_file:
                assert ben.get(f"/attachments/{FILE_KEY}/").text == "Baikal: 1642 metres"
                assert "Notebook" in ben.get("/account/keys/").text
                assert len(ben.get("/account/usage/calls.csv").text.splitlines()) == 3
                assert "Geographers" in ada.get("/admin/auth/group/").text
                assert "Depth of a lake" in ada.get("/settings/tools/servers/1/").text
            if was_killed:
                page = Page(ada.get("/conversations/2/").text)
                assert page.find("article[data-state=interrupted]")
                assert "word0 word1 word2 word3" in page.text(page.messages[-1])
                assert page.one("textarea[name=text]").text.strip() == "And what about"
    assert query(data, "PRAGMA foreign_key_check") == []
    command = "from upstreams.models import Provider; print(Provider.objects.get(name='Ours').build_endpoint().key)"
    done = manage(data, "shell", "--verbosity=0", "--command", command, SEALING_KEY=SEALING_KEY)
    assert done.stdout.strip() == "sk-of-the-provider"


def read_branches(browser: httpx.Client) -> Iterator[str]:
    """Yields the conversation's words on each branch."""
    for branch in (1, 2):
        page = Page(browser.get(f"/conversations/1/?branch={branch}").text)
        assert page.title == "About lakes"
        yield " ".join(page.text(message) for message in page.messages).replace("Thought Deep lakes. ", "")
