"""A small site on disk, and what people find in it."""

import json
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import httpx

from tests.browser.site import ADMINISTRATOR, PASSWORD, Site, manage
from tests.pages import fragment

UPSTREAM_KEY = "sk-of-the-provider"
SETTINGS = {"SECRET_KEY": "", "DJANGO_SUPERUSER_USERNAME": ADMINISTRATOR, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}

FILL = f"""
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from accounts.models import User
from conversations.models import Attachment
from upstreams.models import Provider
owner = User.objects.create_superuser({ADMINISTRATOR!r}, "", {PASSWORD!r})
provider = Provider(name="Ours", protocol="anthropic", base_url="http://127.0.0.1:9/")
provider.set_key({UPSTREAM_KEY!r})
provider.save()
for number in range(6):
    content = bytes([number]) * (4 << 20)
    stored = default_storage.save(f"attachments/{{number:02}}/{{number:032}}", ContentFile(content))
    if number % 2:
        default_storage.save(stored + "-thumbnail", ContentFile(b"small"))
    Attachment.objects.create(owner=owner, kind="pdf", name=f"{{number}}.pdf", size=len(content), stored=stored)
"""


def fill(data: Path, **settings: str) -> None:
    """Creates a site with an administrator, a provider with a sealed key, and six large files."""
    for command in (("migrate", "--verbosity=0"), ("shell", "--command", FILL)):
        done = manage(data, *command, **({"SECRET_KEY": ""} | settings))
        assert done.returncode == 0, done.stderr


def read_uploads(data: Path) -> dict[str, str]:
    """The digests of all stored files."""
    root = data / "uploads"
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest() for path in paths}


def query(data: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(data / "db.sqlite3", timeout=20)) as database:
        return database.execute(sql).fetchall()


def read_upstream_key(data: Path, **settings: str) -> str:
    command = "from upstreams.models import Provider; print(Provider.objects.get(name='Ours').build_endpoint().key)"
    return manage(data, "shell", "--verbosity=0", "--command", command, SECRET_KEY="", **settings).stdout.strip()


class SignedIn:
    """The administrator's browser."""

    def __init__(self, site: Site) -> None:
        self.http = httpx.Client(base_url=site.url, timeout=60)

    def __enter__(self) -> Self:
        self.http.get("/accounts/login/")
        answer = self.post("/accounts/login/", data={"login": ADMINISTRATOR, "password": PASSWORD})
        assert answer.status_code == 302, "the account is there, and the password is right"
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def post(self, address: str, **request: Any) -> httpx.Response:
        headers = {"x-csrftoken": self.http.cookies["csrftoken"]} | request.pop("headers", {})
        return self.http.post(address, headers=headers, **request)

    def attach(self, name: str, content: bytes) -> str:
        """Attaches a file to the next message of a new conversation. Returns its key."""
        answer = self.post("/attachments/", files={"files": (name, content)}, headers={"hx-request": "true"})
        assert answer.status_code == 201, answer.text
        [key] = [field.get("value") for field in fragment(answer.text).cssselect("[name=attached]")]
        return str(key)


def read_manifest(archive: bytes) -> dict[str, Any]:
    size = int(archive[124:135], 8)
    manifest: dict[str, Any] = json.loads(archive[512 : 512 + size])
    return manifest
