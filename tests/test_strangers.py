"""A stranger cannot fill the disk, the memory or the connections of a site, and nobody can by being slow."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from accounts.models import User
from tests.browser.site import Site
from tests.places import make_place
from tests.served import Wire, serve_test_database
from tests.viewers import TOKEN, sign_in

pytestmark = pytest.mark.django_db(transaction=True)

HOST = "host: 127.0.0.1"
LIMITS = {
    "REQUEST_TIMEOUT": "1.5",
    "CONNECTIONS_PER_ADDRESS": "8",
    "CONNECTIONS_OF_STRANGERS": "12",
    "UPLOADS_PER_PERSON": "4",
    "UPLOADS_AT_ONCE": "6",
    "REQUEST_SIZE": "3",
    "GATEWAY_BODY_SIZE": "3",
}
CSRF = (f"x-csrftoken: {TOKEN}", "content-type: application/x-www-form-urlencoded")


@pytest.fixture
def place(ada: User, ben: User) -> SimpleNamespace:
    return make_place(ada, ben)


@pytest.fixture(scope="module")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serve_test_database(tmp_path_factory.mktemp("site"), **LIMITS) as site:
        yield site


@pytest.fixture
def proxied(db: None, tmp_path: Path) -> Iterator[Site]:
    with serve_test_database(tmp_path, BEHIND_PROXY="true", **LIMITS) as site:
        yield site


def cookies_of(person: User) -> str:
    return f"cookie: csrftoken={TOKEN}; sessionid={sign_in(person)}"


def post(length: int, *headers: str, path: str = "/attachments/") -> tuple[str, ...]:
    return (f"POST {path} HTTP/1.1", HOST, f"content-length: {length}", *CSRF, *headers)


def bytes_on_disk(site: Site) -> int:
    """The bytes of files that the site has open, among them those without a name."""
    found = 0
    for handle in Path(f"/proc/{site.process.pid}/fd").iterdir():
        try:
            if "(deleted)" in os.readlink(handle):
                found += handle.stat().st_size
        except FileNotFoundError:
            continue
    return found


@pytest.mark.parametrize("path", ["/attachments/", "/accounts/login/", "/v1/messages", "/nowhere/", "/demo-upstream/x"])
def test_a_large_body_of_a_stranger_is_refused_before_it_is_sent(site: Site, path: str) -> None:
    with Wire(site.port) as wire:
        wire.send(*post(200_000_000, "expect: 100-continue", path=path))
        status, headers, body = wire.read_answer()
        assert status == 413 and b"Sign in first" in body and headers["connection"] == "close"
        wire.send_bytes(bytes(1_000_000))
        assert wire.read_to_the_end() == b"" and bytes_on_disk(site) == 0


def test_a_stranger_who_sends_everything_first_can_read_the_answer(site: Site) -> None:
    with Wire(site.port) as wire:
        wire.send(*post(3_000_000), body=bytes(3_000_000))
        assert wire.read_answer()[0] == 413


def test_chunks_of_a_stranger_are_counted(site: Site) -> None:
    with Wire(site.port) as wire:
        wire.send("POST /attachments/ HTTP/1.1", HOST, "transfer-encoding: chunked", *CSRF)
        for _ in range(30):
            wire.send_bytes(b"2000\r\n" + bytes(0x2000) + b"\r\n")
        assert wire.read_answer()[0] == 413
    with Wire(site.port) as wire:
        chunked = ("POST /accounts/login/ HTTP/1.1", HOST, "transfer-encoding: chunked", *CSRF)
        wire.send(*chunked, f"cookie: csrftoken={TOKEN}")
        wire.send_bytes(b"7\r\nlogin=a\r\n0\r\n\r\n")
        assert wire.read_answer()[0] == 422


def test_many_tiny_chunks_of_a_stranger_are_refused_early(site: Site) -> None:
    """Reading each takes as long as reading a large one."""
    with Wire(site.port) as wire:
        wire.send("POST /attachments/ HTTP/1.1", HOST, "transfer-encoding: chunked", *CSRF)
        wire.send_bytes(b"1\r\na\r\n" * 5_000)
        assert wire.read_answer()[0] == 413


@pytest.mark.parametrize("cookie", ["sessionid=forged", "csrftoken=" + TOKEN, "sessionid="])
def test_an_expired_session_is_asked_to_sign_in_whatever_the_size(site: Site, cookie: str) -> None:
    """The page then shows the dialog, and the text is not lost."""
    with Wire(site.port) as wire:
        cookies = f"cookie: csrftoken={TOKEN}; {cookie}"
        wire.send(*post(2_500_000, cookies, "hx-request: true", path="/turns/"), body=b"text=" + b"a" * 2_499_995)
        status, headers, body = wire.read_answer()
        assert status == 401 and b"Sign in again" in body and headers["connection"] == "close"
        assert bytes_on_disk(site) == 0


@pytest.mark.parametrize("credential", ["x-api-key: cs-wrong", "authorization: Bearer wrong", "x-api-key: "])
def test_a_program_with_a_wrong_key_gets_its_error_before_its_body(site: Site, credential: str) -> None:
    with Wire(site.port) as wire:
        wire.send(*post(2_500_000, credential, path="/v1/messages"))
        status, _, body = wire.read_answer()
        assert status == 401 and b"authentication_error" in body


def test_people_and_programs_send_large_bodies(site: Site, place: SimpleNamespace, ada: User) -> None:
    with Wire(site.port) as wire:
        for _ in range(3):
            wire.send(*post(2_500_000, cookies_of(ada), path="/unsent/"), body=b"text=" + b"a" * 2_499_995)
            assert wire.read_answer()[0] in (204, 422)
        wire.send(*post(2_500_000, f"x-api-key: {place.secret}", path="/v1/messages"), body=b" " * 2_500_000)
        assert wire.read_answer()[0] == 400


def test_the_space_of_unfinished_bodies_is_bounded(site: Site, ada: User, ben: User, root: User) -> None:
    with ExitStack() as wires:

        def begin(person: User) -> Wire:
            wire = wires.enter_context(Wire(site.port))
            wire.send(*post(2_000_000, cookies_of(person), path="/unsent/"), body=bytes(1_000_000))
            return wire

        first = [begin(ada), begin(ada)]
        third = begin(ada)
        status, headers, body = third.read_answer()
        assert status == 503 and "retry-after" in headers and b"Try again" in body
        begin(ben)
        assert begin(root).read_answer()[0] == 503, "Three bodies of two people are the site's six megabytes."
        for wire in first:
            wire.send_bytes(bytes(1_000_000))
            wire.read_answer()
        again = begin(ada)
        again.send_bytes(bytes(1_000_000))
        assert again.read_answer()[0] in (204, 400, 422)


def test_slow_headers_get_an_answer_and_the_end(site: Site) -> None:
    for sent in (b"GET", b"GET / HTTP/1.1\r\nhost: a\r\nx: ", b"\r\n"):
        with Wire(site.port) as wire:
            wire.send_bytes(sent)
            assert wire.read_head()[0] == 408


def test_a_slow_body_gets_an_answer_and_the_end(site: Site, ada: User) -> None:
    for headers in (("content-length: 50000",), ("content-length: 2000000", cookies_of(ada))):
        with Wire(site.port) as wire:
            wire.send("POST /unsent/ HTTP/1.1", HOST, *headers, *CSRF, body=b"text=")
            status, _, body = wire.read_answer()
            assert status == 408 and b"too slowly" in body


def test_the_least_active_connections_of_an_address_make_way(site: Site, ada: User) -> None:
    with ExitStack() as wires:
        *slow, other = [wires.enter_context(Wire(site.port)) for _ in range(8)]
        for wire in slow:
            wire.send_bytes(b"GET / HTTP/1.1\r\nx: ")
        other.send("GET /healthz HTTP/1.1", HOST)
        assert other.read_answer()[0] == 200
        for _ in range(20):
            newcomer = wires.enter_context(Wire(site.port))
            newcomer.send("GET /healthz HTTP/1.1", HOST)
            assert newcomer.read_answer()[0] == 200
        assert slow[0].read_head()[0] == 503
        assert len([*Path(f"/proc/{site.process.pid}/fd").iterdir()]) < 60


def test_addresses_behind_a_proxy_count_one_by_one(proxied: Site) -> None:
    with ExitStack() as wires:
        for number in range(11):
            wire = wires.enter_context(Wire(proxied.port))
            forwarded = f"x-forwarded-for: 9.9.9.9, 10.0.0.{number}"
            wire.send("POST /accounts/login/ HTTP/1.1", HOST, "content-length: 9", forwarded, body=b"a")
        crowd = [wires.enter_context(Wire(proxied.port)) for _ in range(11)]
        for wire in crowd:
            wire.send("GET /healthz HTTP/1.1", HOST, "x-forwarded-for: 10.1.1.1")
            assert wire.read_answer()[0] == 200


def test_signed_in_people_are_not_counted(site: Site, ada: User) -> None:
    """All on one address, whose strangers may have eight connections."""
    cookies = cookies_of(ada)
    with ExitStack() as wires:
        people = [wires.enter_context(Wire(site.port)) for _ in range(7)]
        for _ in range(2):
            for wire in people:
                wire.send(*post(200_000, cookies, "expect: 100-continue", path="/unsent/"))
                assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            crowd = [wires.enter_context(Wire(site.port)) for _ in range(20)]
            crowd[-1].send("GET /healthz HTTP/1.1", HOST)
            assert crowd[-1].read_answer()[0] == 200
            for wire in people:
                wire.send_bytes(b"text=" + b"a" * 199_995)
                assert wire.read_answer()[0] in (204, 422)


def test_what_is_not_http_gets_a_sentence(site: Site) -> None:
    long = b"GET /" + b"a" * 40_000
    for sent in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n", long, b"GET / HTTP/9\r\n\r\n"):
        with Wire(site.port) as wire:
            wire.send_bytes(sent)
            status, _, body = wire.read_answer()
            assert status in (400, 431) and body.endswith(b".\n")


def test_a_site_with_an_unfinished_request_stops(ada: User, tmp_path: Path) -> None:
    with serve_test_database(tmp_path) as site, Wire(site.port) as wire:
        wire.send(*post(2_000_000, cookies_of(ada), "expect: 100-continue"))
        assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        site.process.terminate()
        assert site.process.wait(30) == 0
        assert not [line for line in site.console if "Traceback" in line]
