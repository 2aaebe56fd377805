"""Whatever one socket sends, everybody else is answered at once, and the log stays free of tracebacks."""

import threading
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.browser.backstage import Person
from tests.browser.site import Site
from tests.served import Wire
from tests.sockets.conftest import OpenSocket
from tests.sockets.wire import BINARY, CLOSE, PING, PONG, TEXT, SocketWire, frame

LONGEST_PAUSE = 1.5
"""Seconds. A busy machine takes a few tenths for a page."""


@contextmanager
def everybody_is_answered(site: Site) -> Iterator[None]:
    """Fails if another person's request waited while the block ran, or if the site logged an error."""
    slowest, is_over = 0.0, threading.Event()

    def ask() -> None:
        nonlocal slowest
        while not is_over.is_set():
            begin = time.monotonic()
            urllib.request.urlopen(f"{site.url}/healthz", timeout=60).read()
            slowest = max(slowest, time.monotonic() - begin)
            is_over.wait(0.02)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        is_over.set()
        asking.join()
    assert slowest < LONGEST_PAUSE
    assert not [line for line in site.console if "Traceback" in line or "ERROR" in line], "\n".join(site.console)


MANY = 200_000
FLOODS = {
    "short texts": [frame(b"hi")] * MANY,
    "empty texts": [frame()] * MANY,
    "binaries": [frame(b"\0\0", BINARY)] * MANY,
    "pings": [frame(b"hi", PING)] * MANY,
    "empty pings": [frame(b"", PING)] * MANY,
    "pongs": [frame(b"hi", PONG)] * MANY,
    "heartbeats": [frame(b'{"type":"ping"}')] * MANY,
    "empty fragments": [frame(b"", TEXT, last=False), *[frame(b"", 0, last=False)] * MANY],
    "long fragments": [frame(b"x" * 1000, TEXT, last=False), *[frame(b"x" * 1000, 0, last=False)] * 5000],
    "closes": [frame(b"\x03\xe8", CLOSE)] * MANY,
    "texts after a close": [frame(b"\x03\xe8", CLOSE), *[frame(b"hi")] * MANY],
}
ODDITIES = {
    "a huge text": [frame(b"x" * 8_000_000)],
    "the head of a huge frame": [b"\x81\xff" + (1 << 62).to_bytes(8) + b"mask"],
    "a huge ping": [frame(b"x" * 126, PING)],
    "a compressed bomb": [frame(zlib.compress(b"\0" * 10_000_000), flags=0x40)],
    "an unmasked text": [frame(b"hi", masked=False)],
    "a reserved kind": [frame(b"hi", 3)],
    "a continuation of nothing": [frame(b"hi", 0)],
    "a text inside a text": [frame(b"hi", last=False), frame(b"hi")],
    "a fragmented ping": [frame(b"hi", PING, last=False)],
    "a text that is not UTF-8": [frame(b"\xff\xfe")],
    "a close without a code": [frame(b"x", CLOSE)],
    "a close with a code that nobody may send": [frame(b"\x03\xee", CLOSE)],
    "a size that is not minimal": [b"\x81\xfe\x00\x02mask"],
    "a long text": [frame(b"x" * 4000)],
    "a second handshake": [b"GET /ws/ HTTP/1.1\r\nhost: x\r\n\r\n"],
}


@pytest.mark.parametrize("frames", [pytest.param(frames, id=name) for name, frames in FLOODS.items()])
def test_a_flood_ends_the_socket_and_holds_up_nobody(site: Site, open_socket: OpenSocket, frames: list[bytes]) -> None:
    wire = open_socket()
    with everybody_is_answered(site):
        data = b"".join(frames)
        for start in range(0, len(data), 1 << 16):
            if not wire.send_frames(data[start : start + (1 << 16)]):
                break
        wire.read_until_closed()


@pytest.mark.parametrize("frames", [pytest.param(frames, id=name) for name, frames in ODDITIES.items()])
def test_an_odd_frame_ends_the_socket(site: Site, open_socket: OpenSocket, frames: list[bytes]) -> None:
    wire = open_socket()
    with everybody_is_answered(site):
        wire.send_frames(*frames)
        wire.read_until_closed()


def test_a_page_of_the_usual_pace_is_never_closed(open_socket: OpenSocket) -> None:
    wire = open_socket()
    for text in (b'{"type":"ping"}', b"not JSON", b"{" * 1000, b'"\xc3\xa9"', b"[[[", b"null"):
        wire.send_frames(frame(text))
        wire.send_frames(frame(b"here?", PING))
        kinds = {wire.read_frame(), wire.read_frame()}
        assert kinds == {(TEXT, b'{"type":"pong"}'), (PONG, b"here?")}
    wire.send_frames(frame(b"\x03\xe8", CLOSE))
    assert wire.read_until_closed() == 1000


def test_compression_is_never_agreed_on(site: Site, ada: Person) -> None:
    with SocketWire(site.port) as wire:
        offer = "sec-websocket-extensions: permessage-deflate; client_max_window_bits"
        wire.ask("/ws/", f"cookie: sessionid={ada.session}", offer)
        status, headers = wire.read_head()
        assert (status, headers.get("sec-websocket-extensions")) == (101, None)


ADDRESSES = [
    *("/ws/nothing/", "/ws", "/", "//", "/ws//", "/ws/%00/", "/ws/%ff%fe/", "/ws/../", "/v1/messages", "/admin/"),
    *("/ws/conversations/x/", "/ws/conversations/-1/", "/ws/conversations/", "/ws/conversations/1", "http://evil/ws/x"),
]
CONVERSATIONS = [
    *("0", "999999999", "9" * 18, "9" * 19, "9" * 40, "9" * 4000),
    *("1?since=" + "9" * 30, "1?branch=-1&since=%00", "1?since=1e9", "999999?since=1&since=2", "1?%"),
]


def test_an_odd_address_is_refused_plainly(site: Site, ada: Person) -> None:
    cookie = f"cookie: sessionid={ada.session}"
    with everybody_is_answered(site):
        for address in ADDRESSES:
            with SocketWire(site.port) as wire:
                wire.ask(address, cookie)
                assert wire.read_head()[0] == 404, address
        for named in CONVERSATIONS:
            pk, _, query = named.partition("?")
            with SocketWire(site.port) as wire:
                wire.ask(f"/ws/conversations/{pk}/?{query}", cookie)
                assert wire.read_head()[0] in (101, 403), named
        # The server looks at finished handshakes once a second.
        time.sleep(1.5)


HEADERS = [
    ("sec-websocket-protocol: \xe9",),
    ("sec-websocket-protocol: chat, a%ff",),
    ("daphne-root-path: /x",),
    ("daphne-root-path: \xe9%ff",),
    ("cookie: sessionid=\xe9\xff; a",),
    ("cookie: sessionid=" + "a" * 32,),
    ("cookie: sessionid=" + "\x01" * 32,),
    ("host: evil.example",),
    ("host: \xe9",),
    ("origin: \xff",),
    ("origin: null",),
    ("origin: http://[",),
    ("origin: http://a b",),
    ("origin: data:x",),
    ("sec-websocket-version: 12",),
    ("sec-websocket-version: \xb2",),
    ("sec-websocket-key: x",),
    ("connection: close",),
    ("x-\xe9: a",),
    ("content-length: 5",),
]


@pytest.mark.parametrize("headers", HEADERS)
def test_an_odd_handshake_is_refused_plainly(site: Site, headers: tuple[str, ...]) -> None:
    with everybody_is_answered(site), SocketWire(site.port) as wire:
        wire.ask("/ws/", *headers, body=b"hello" if "content-length: 5" in headers else b"")
        assert 400 <= wire.read_head()[0] < 500
        time.sleep(1.2)


def test_data_before_the_answer_ends_the_handshake(site: Site) -> None:
    with everybody_is_answered(site), SocketWire(site.port) as wire:
        wire.ask("/ws/", body=b"GET /ws/ HTTP/1.1\r\n\r\n" * 1000)
        wire.read_to_the_end()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(data=st.binary(min_size=1, max_size=300))
def test_no_bytes_make_the_site_log_an_error(site: Site, open_socket: OpenSocket, data: bytes) -> None:
    wire = open_socket("/ws/")
    wire.send_frames(data)
    wire.stop_sending()
    wire.read_until_closed()
    assert not [line for line in site.console if "Traceback" in line or "ERROR" in line], "\n".join(site.console)


@pytest.mark.parametrize("path", ["/healthz", "/ws/", "/"])
@pytest.mark.parametrize(
    "lines",
    [
        ("connection: upgrade",),
        ("connection: close",),
        ("connection: upgrade", "sec-websocket-version: 13"),
        ("connection: upgrade", "sec-websocket-version: 99", f"sec-websocket-key: {'A' * 22}=="),
        ("connection: upgrade", "sec-websocket-version: x", "sec-websocket-key: short"),
    ],
)
def test_a_handshake_that_is_none_leaves_nothing_in_the_log(site: Site, path: str, lines: tuple[str, ...]) -> None:
    with Wire(site.port) as wire:
        wire.send(f"GET {path} HTTP/1.1", f"host: 127.0.0.1:{site.port}", "upgrade: websocket", *lines)
        assert b" 500 " not in wire.read_to_the_end()[:20]
    # The site has noticed the end of the connection once it answers another one.
    with Wire(site.port) as wire:
        wire.send("GET /healthz HTTP/1.1", "host: x")
        assert wire.read_answer()[0] == 200
    assert not any("Traceback" in line for line in site.console)
