"""Attached files in a store or a shared folder, through the same pages."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured

from chatsite.installation.uploads import read_uploads_url
from tests.backups.installations import SETTINGS, SignedIn, fill, query
from tests.browser.site import Site, manage
from tests.files import image
from tests.object_store import ACCESS_KEY, SECRET, ObjectStoreServer


@pytest.fixture
def store() -> Iterator[ObjectStoreServer]:
    with ObjectStoreServer() as running:
        yield running


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def read_content(browser: SignedIn, key: str, **headers: str) -> httpx.Response:
    return browser.http.get(f"/attachments/{key}/", headers=headers)


def attach_and_read(browser: SignedIn) -> str:
    """Attaches an image, and reads it as a browser does. Returns its key."""
    key = browser.attach("lake.png", image(colour=(0, 80, 160)))
    whole = read_content(browser, key)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "image/png")
    assert whole.headers["cache-control"] == "private, no-cache"
    assert "sandbox" in whole.headers["content-security-policy"]
    assert read_content(browser, key, **{"if-none-match": whole.headers["etag"]}).status_code == 304
    assert browser.http.get(f"/attachments/{key}/thumbnail/").headers["content-type"] == "image/webp"
    return key


def test_files_are_in_the_store_and_come_from_the_site(data: Path, store: ObjectStoreServer) -> None:
    with Site(data, **SETTINGS, UPLOADS_URL=store.url()) as site, SignedIn(site) as browser:
        key = attach_and_read(browser)
        names = sorted(store.objects)
        assert len(names) == 2 and all(name.startswith("site/attachments/") for name in names)
        assert names[1] == f"{names[0]}-thumbnail"
        assert store.objects[names[0]] == read_content(browser, key).content
        assert httpx.get(f"{site.url}/attachments/{key}/").status_code == 302, "only to those who have signed in"
        page = browser.http.get("/").text
        assert key in page and "s3" not in page and str(site.port) not in page.replace(site.url, "")
        assert browser.post(f"/attachments/{key}/remove/").status_code == 204
        assert store.objects == {}
        assert not any((data / "uploads").rglob("*"))
    assert "boto" not in "\n".join(site.console) and SECRET not in "\n".join(site.console)


def test_files_that_nobody_knows_are_removed_from_the_store(data: Path, store: ObjectStoreServer) -> None:
    settings = {"SECRET_KEY": "", "UPLOADS_URL": store.url()}
    fill(data, **settings)
    known = dict(store.objects)
    assert len(known) == 9
    for number in range(7):
        store.objects[f"site/attachments/{number:02}/left-behind"] = b"old"
    store.objects["another/attachments/00/of-another-site"] = b"old"
    command = "from conversations import uploads; print(uploads.sweep())"
    done = manage(data, "shell", "--verbosity=0", "--command", command, **settings)
    assert done.stdout.strip() == "7", done.stderr
    assert store.objects == known | {"another/attachments/00/of-another-site": b"old"}


def test_a_store_that_is_away_is_a_busy_site(data: Path, store: ObjectStoreServer) -> None:
    with Site(data, **SETTINGS, UPLOADS_URL=store.url()) as site, SignedIn(site) as browser:
        key = attach_and_read(browser)
        store.stop()
        assert read_content(browser, key).status_code == 503
        assert browser.http.get("/").status_code == 200
        refused = browser.post("/attachments/", files={"files": ("a.txt", b"words")}, headers={"hx-request": "true"})
        assert refused.status_code == 503
        store.start()
        assert read_content(browser, key).status_code == 200
        store.fault = "SlowDown"
        assert read_content(browser, key).status_code == 503
        store.fault = ""
        store.objects.clear()
        assert read_content(browser, key).status_code == 404
    assert SECRET not in "\n".join(site.console)


REFUSED = {
    "another key": ({"key": "eve"}, "", "refuses the access key or the secret"),
    "another secret": ({"secret": "loud"}, "", "refuses the access key or the secret"),
    "no bucket": ({"bucket": "other"}, "", "The bucket of UPLOADS_URL does not exist"),
    "no right": ({}, "AccessDenied", "may not list, read, write and delete"),
    "another clock": ({}, "RequestTimeTooSkewed", "The clocks of this machine and of the store"),
    "anything else": ({}, "Teapot", "refuses a request (Teapot). Check UPLOADS_URL."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_start_with_a_wrong_setting_is_a_sentence(data: Path, store: ObjectStoreServer, case: str) -> None:
    parts, store.fault, words = REFUSED[case]
    refusal = manage(data, "serve", UPLOADS_URL=store.url(**parts))
    assert (refusal.returncode, refusal.stderr.count("\n")) == (1, 1), refusal.stderr
    assert words in refusal.stderr
    for secret in (parts.get("secret", SECRET), ACCESS_KEY, "127.0.0.1"):
        assert secret not in refusal.stderr + refusal.stdout


def test_a_start_goes_on_without_a_store_that_is_away(data: Path, store: ObjectStoreServer) -> None:
    store.stop()
    with Site(data, **SETTINGS, UPLOADS_URL=store.url()) as site:
        assert site.await_line("The store of attached files cannot be reached (EndpointConnectionError)")
        store.start()
        with SignedIn(site) as browser:
            attach_and_read(browser)


URLS = [
    "s3://a:b@host", "s3://host/bucket", "s3://a@host/bucket", "s3://a:b@host/bucket?colour=red", "ftp://a:b@host/c",
    "s3://a:b/c@host/bucket", "file:relative", "file://relative/folder", "nonsense", "s3://a:b@host:99999/bucket",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_a_url_that_cannot_be_read_is_a_sentence_without_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        read_uploads_url(url, Path("/var/uploads"))
    assert "UPLOADS_URL" in str(refusal.value)
    assert url not in str(refusal.value)


def test_a_url_names_all_that_a_store_needs() -> None:
    storage, _ = read_uploads_url("s3://key:a%2Fb%40c@[::1]:9000/files/a/b?region=eu-1", Path("/var/uploads"))
    assert storage["OPTIONS"] == {
        "endpoint_url": "https://[::1]:9000",
        "access_key": "key",
        "secret_key": "a/b@c",
        "bucket_name": "files",
        "location": "a/b",
        "region_name": "eu-1",
    }


def test_the_packages_of_a_store_are_loaded_only_for_one(data: Path, store: ObjectStoreServer) -> None:
    command = "import sys; print(any(name.startswith('boto') for name in sys.modules))"
    loaded = f"from django.core.files.storage import default_storage; default_storage.exists('x'); {command}"
    for url, is_loaded in (("", "False"), (store.url(), "True")):
        done = manage(data, "shell", "--verbosity=0", "--command", loaded, UPLOADS_URL=url)
        assert done.stdout.strip() == is_loaded, done.stderr


def test_files_are_in_a_shared_folder(data: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared folder"
    url = f"file://{shared}"
    assert f"{shared}, does not exist. Create it, or mount it." in manage(data, "serve", UPLOADS_URL=url).stderr
    shared.mkdir()
    with Site(data, **SETTINGS, UPLOADS_URL=url) as site, SignedIn(site) as browser:
        attach_and_read(browser)
        assert len([path for path in shared.rglob("*") if path.is_file()]) == 2
    assert not (data / "uploads").exists()
    shared.chmod(0o500)
    if os.access(shared / "attachments", os.W_OK):
        return  # Root may write anywhere.
    assert "cannot write" in manage(data, "serve", UPLOADS_URL=url).stderr


def list_digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name.removeprefix("site/"): hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_a_backup_has_the_files_of_the_store_and_restores_them_anywhere(
    data: Path, store: ObjectStoreServer, tmp_path: Path
) -> None:
    settings = {"SECRET_KEY": "", "UPLOADS_URL": store.url()}
    fill(data, **settings)
    backup, folder = tmp_path / "chat.tar", tmp_path / "in-a-folder"
    [lost, *_] = sorted(name for name in store.objects if not name.endswith("-thumbnail"))
    del store.objects[lost]
    done = manage(data, "backup", str(backup), **settings)
    assert (done.returncode, done.stderr) == (
        0, f"{lost.removeprefix('site/')} is missing, although the database knows it.\n"
    )  # fmt: skip
    done = manage(folder, "restore", str(backup), SECRET_KEY="")
    assert done.returncode == 0, done.stderr
    uploads = folder / "uploads"
    found = {str(path.relative_to(uploads)): path.read_bytes() for path in uploads.rglob("*") if path.is_file()}
    assert list_digests(found) == list_digests(store.objects)

    refusal = manage(tmp_path / "again", "restore", str(backup), **settings)
    assert "The place of attached files (UPLOADS_URL) is not empty" in refusal.stderr
    with ObjectStoreServer() as other:
        place = tmp_path / "in-a-store"
        done = manage(place, "restore", str(backup), SECRET_KEY="", UPLOADS_URL=other.url())
        assert done.returncode == 0, done.stderr
        assert other.objects == store.objects
        assert query(place, "SELECT count(*) FROM conversations_attachment") == [(6,)]
        assert not (place / "uploads").exists()


def test_a_store_that_fails_during_a_restore_leaves_no_site(
    data: Path, store: ObjectStoreServer, tmp_path: Path
) -> None:
    fill(data)
    backup, place = tmp_path / "chat.tar", tmp_path / "restored"
    assert manage(data, "backup", str(backup)).returncode == 0
    store.fault = "SlowDown"
    refusal = manage(place, "restore", str(backup), UPLOADS_URL=store.url())
    assert (refusal.returncode, "answers with an error (SlowDown)" in refusal.stderr) == (1, True), refusal.stderr
    assert "Traceback" not in refusal.stderr
