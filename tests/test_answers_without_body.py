"""An answer to HEAD, and one with the status 204 or 304, ends with its headers, whatever would follow them."""

import http.client
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.models import User
from conversations.models.attachment import THUMBNAIL
from tests.audiences import ALL_ROUTES
from tests.browser.site import Site
from tests.pages import Page
from tests.places import address_in, make_place
from tests.served import Wire, serve_test_database
from tests.viewers import TOKEN, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = 3_000_000
HOST = "host: 127.0.0.1"
ODD_HEADERS = [
    (),
    ("range: bytes=0-9",),
    ("range: bytes=10-",),
    ("range: bytes=99999999-",),
    ("if-modified-since: Fri, 01 Jan 2100 00:00:00 GMT",),
    ("if-none-match: *",),
    ("accept-encoding: gzip, br",),
    ("content-length: 0",),
    ("expect: 100-continue",),
    ("hx-request: true",),
    ("upgrade: websocket", "connection: upgrade"),
    ("upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13", f"sec-websocket-key: {'A' * 22}=="),
]


@pytest.fixture(scope="module")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_test_database(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def place(site: Site, ada: User, ben: User, root: User, settings: Any) -> SimpleNamespace:
    settings.MEDIA_ROOT = site.data / "uploads"
    place = make_place(ada, ben)
    for part in ("", THUMBNAIL):
        default_storage.delete(place.attachment.stored + part)
        default_storage.save(place.attachment.stored + part, ContentFile(b"HTTP/1.1 200 OK\r\n" * (LARGE // 17)))
    return place


def cookies_of(person: User | None) -> str:
    return f"cookie: csrftoken={TOKEN}" + (f"; sessionid={sign_in(person)}" if person else "")


def assert_ends_with_its_headers(wire: Wire, method: str, address: str, *headers: str) -> tuple[int, dict[str, str]]:
    """The bytes after the headers are the answer to the next request, sent at the same time."""
    request = (f"{method} {address} HTTP/1.1", HOST, *headers, "")
    wire.send(*request, "GET /healthz HTTP/1.1", HOST)
    status, answered = wire.read_head()
    assert "transfer-encoding" not in answered, (address, answered)
    following, _, body = wire.read_answer()
    assert (following, body) == (200, b"ok\n"), (address, headers, status)
    return status, answered


def static_addresses(site: Site) -> list[str]:
    with Wire(site.port) as wire:
        wire.send("GET /accounts/login/ HTTP/1.1", HOST)
        page = Page(wire.read_answer()[2].decode())
    found = [it.get("href") for it in page.find("link[href]")] + [it.get("src") for it in page.find("script[src]")]
    return [address for address in found if address.startswith("/static/")]


def test_no_address_answers_head_with_a_body(
    site: Site, place: SimpleNamespace, ada: User, ben: User, root: User
) -> None:
    static = static_addresses(site)
    assert static
    others = ["/v1/models", "/v1/messages", "/v1/nothing", "/demo-upstream/v1/models", "/nowhere/", "/admin", "/%ff"]
    for person in (None, ada, root):
        cookies = cookies_of(person)
        key = f"x-api-key: {place.secret}" if person == ada else "x-nothing: 1"
        with Wire(site.port) as wire:
            for address in [*(address_in(place, route, ben) for route in sorted(ALL_ROUTES)), *static, *others]:
                assert_ends_with_its_headers(wire, "HEAD", address, cookies, key)
    with Wire(site.port) as wire:
        wire.send(f"GET /attachments/{place.attachment.uuid}/ HTTP/1.1", HOST, cookies_of(ada))
        assert len(wire.read_answer()[2]) == LARGE // 17 * 17


def test_no_header_brings_a_body_after_head(site: Site, place: SimpleNamespace, ada: User) -> None:
    file, page = f"/attachments/{place.attachment.uuid}/", f"/conversations/{place.conversation.pk}/"
    etag = f'if-none-match: "{place.attachment.stored}"'
    cookies = cookies_of(ada)
    with Wire(site.port) as wire:
        for address in (file, page, static_addresses(site)[0], "/account/usage/calls.csv", "/v1/models"):
            for headers in (*ODD_HEADERS, (etag,)):
                if "expect: 100-continue" in headers:
                    wire.send(f"HEAD {address} HTTP/1.1", HOST, cookies, *headers)
                    assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                    wire.read_head()
                else:
                    assert_ends_with_its_headers(wire, "HEAD", address, cookies, *headers)
        assert assert_ends_with_its_headers(wire, "HEAD", file, cookies)[0] == 200


def test_an_answer_with_204_or_304_has_neither_body_nor_length(site: Site, place: SimpleNamespace, ada: User) -> None:
    pk, cookies = place.conversation.pk, cookies_of(ada)
    form = ("content-type: application/x-www-form-urlencoded", f"x-csrftoken: {TOKEN}", "content-length: 6")
    etag = f'if-none-match: "{place.attachment.stored}"'
    with Wire(site.port) as wire:
        for method in ("GET", "HEAD"):
            address = f"/attachments/{place.attachment.uuid}/"
            status, headers = assert_ends_with_its_headers(wire, method, address, cookies, etag)
            assert status == 304 and "content-length" not in headers
        wire.send(f"POST /conversations/{pk}/unsent/ HTTP/1.1", HOST, cookies, *form, body=b"text=a")
        status, headers = wire.read_head()
        assert status == 204 and "content-length" not in headers
        assert_ends_with_its_headers(wire, "HEAD", "/", cookies)


def test_an_old_client_gets_the_headers_alone(site: Site, place: SimpleNamespace, ada: User) -> None:
    for version in ("HTTP/1.0", "HTTP/1.1"):
        with Wire(site.port) as wire:
            address = f"/attachments/{place.attachment.uuid}/"
            wire.send(f"HEAD {address} {version}", HOST, cookies_of(ada), "connection: close")
            head = wire.read_to_the_end()
            assert head.index(b"\r\n\r\n") == len(head) - 4 and f"{LARGE // 17 * 17}".encode() in head


def test_another_parser_reads_the_next_answer_after_head(site: Site, place: SimpleNamespace, ada: User) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    name, _, value = cookies_of(ada).partition(": ")
    for address in (f"/attachments/{place.attachment.uuid}/", "/", "/account/usage/table.csv", "/nowhere/", "/admin"):
        connection.request("HEAD", address, headers={name: value})
        assert connection.getresponse().read() == b""
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
    connection.close()
