"""Requests with odd values everywhere, sent to Django as a server hands them over."""

import asyncio
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from asgiref.sync import async_to_sync
from django.contrib import admin
from django.core.signals import got_request_exception, request_finished, request_started
from django.db import close_old_connections, connection, transaction
from hypothesis import strategies as st
from lxml import html

from chatsite.serving.pages import PageHandler
from tests.viewers import TOKEN

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("accounts", "upstreams", "ledger", "tools", "conversations", "gateway", "chatsite")

NUMBERS = [
    *("0", "-1", "1", "2", "00", "1_000", "+1", " 1", "1.5", "1e3", "1e400", "1e-400", "-0.0", "0x10", "1,5"),
    *(str(2**31), str(2**32), str(2**63 - 1), str(2**63), str(-(2**63) - 1), str(2**64), "9" * 40, "1" * 5000),
    *("NaN", "sNaN", "Infinity", "-inf", "\u00b2", "\u0663", "\u2460", "1e999999999", "0." + "0" * 400 + "1"),
]
DATES = [
    *("0001-01-01", "9999-12-31", "0000-00-00", "10000-01-01", "2024-02-30", "-1-1-1", "2024-W01-1", "2024"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00Z"),
    *("0001-01-01 00:00:00", "2024-01-01T25:00", "2024-01-01T00:00:00+99:99", "2024-01-01T00:00:00\u2028", "today"),
    *("0001-01-01T00:00:00+23:59_1", "9999-12-31T23:59:59-23:59_1", "2024-01-01T00:00:00+00:00_" + "9" * 30),
    *("0001-01-01 - 9999-12-31", "1e308", "0001-01", "9999-12", "9999-99", "10000-01"),
]
TEXTS = [
    *("", " ", "\0", "a\0b", "\0" * 100, "\ud800", "a\udfffb", "\ufeff", "\uffff", "\U0010ffff", "\x7f", "\x1b[2J"),
    *("%", "%00", "%ff", "%zz", "_", "\\", "'", '"', "'; --", "{{ 1 }}", "{% x %}", "<b>", "../../etc", "/" * 300),
    *("\r\nset-cookie: a=b", "\n", "\t", "a" * 300, "\u00e9" * 5000, "\u202e", "e\u0301" * 200, "((((", "[", "*", "?"),
    *("http://[", "http://[::1", "//", "javascript:1", "http://a:99999999/", "http://\u0663/", "\u0130", "\u00df"),
    *("true", "null", "None", "[]", "{}", '{"a": 1}', "[" * 3000, '"\\ud800"', "\\ud800", "0" * 36, "-" * 36),
    *("ffffffff-ffff-ffff-ffff-ffffffffffff", "UTC", "Europe/Nowhere", "../UTC", "(", "ffffffff"),
]
ODD = st.sampled_from(NUMBERS) | st.sampled_from(DATES) | st.sampled_from(TEXTS) | st.text(max_size=20)
RAW = st.binary(max_size=20)


def encode(text: str) -> bytes:
    """The bytes of a text, including those of a lone surrogate, which UTF-8 does not allow."""
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class Ask:
    method: str
    path: str
    query: Sequence[tuple[str, str | bytes]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_page(self) -> bool:
        return self.status == 200 and self.headers.get("content-type", "").startswith("text/html")


def send(ask: Ask, session: str) -> Answer:
    """Returns Django's answer. Raises what the site failed to handle."""
    faults: list[BaseException] = []

    def remember(sender: object, **kwargs: Any) -> None:
        faults.append(sys.exc_info()[1] or AssertionError("unknown"))

    got_request_exception.connect(remember)
    # These would close the connection, and with it the transaction of the test.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        answer = _send(ask, session)
    finally:
        got_request_exception.disconnect(remember)
        for signal in signals:
            signal.connect(close_old_connections)
    if faults:
        raise faults[0]
    assert answer.status < 500, answer.body[:500]
    return answer


@async_to_sync
async def _send(ask: Ask, session: str) -> Answer:
    cookies = f"csrftoken={TOKEN}" + (f"; sessionid={session}" if session else "")
    given = {
        "host": "localhost",
        "cookie": cookies,
        "x-csrftoken": TOKEN,
        "origin": "http://localhost",
        "content-length": str(len(ask.body)),
    }
    extra = {name: value for name, value in ask.headers.items() if name != "cookie"}
    if "cookie" in ask.headers:
        extra["cookie"] = cookies + "; " + ask.headers["cookie"]
    headers = {**given, **extra}
    path = "/".join(quote(encode(part), safe="") for part in ask.path.split("/"))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": ask.method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"&".join(_quote(name) + b"=" + _quote(value) for name, value in ask.query),
        "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()],
        "client": ["127.0.0.1", 1],
        "server": ["127.0.0.1", 80],
    }
    incoming: list[dict[str, Any]] = [{"type": "http.request", "body": ask.body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop() if incoming else await asyncio.get_running_loop().create_future()

    async def collect(message: dict[str, Any]) -> None:
        sent.append(message)

    # Without the handler's own thread, so that the request uses the connection and the transaction of the test.
    await HANDLER.handle(scope, receive, collect)
    start = sent[0]
    decoded = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], decoded, b"".join(message.get("body", b"") for message in sent[1:]))


HANDLER = PageHandler()


def _quote(value: str | bytes) -> bytes:
    return quote_plus(encode(value) if isinstance(value, str) else value).encode()


def form_names() -> list[str]:
    """Every name that the site's code reads from a query or a form."""
    reads = re.compile(r"(?:GET|POST)(?:\.get(?:list)?\(|\[)\s*\"(\w+)\"|(?:get|read)_?\w*\(request, \"(\w+)\"")
    found = set()
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            found |= {name for pair in reads.findall(source.read_text()) for name in pair if name}
    for template in (ROOT / "templates").rglob("*.html"):
        text = template.read_text()
        found |= set(re.findall(r"[?&](?:amp;)?(\w+)=", text)) | set(re.findall(r'\bname="(\w+)"', text))
    return sorted(found)


def admin_names() -> list[str]:
    """Every parameter of the lists in Django's admin, with lookups on the fields that they filter by."""
    names = {*("q", "o", "p", "all", "e", "_popup", "_to_field", "_changelist_filters", "_facets", "next", "term")}
    names |= {*("app_label", "model_name", "field_name")}
    for model, options in admin.site._registry.items():
        fields = [it[0] if isinstance(it, tuple) else it for it in options.get_list_filter(None)]  # type: ignore[arg-type]
        fields += [options.date_hierarchy] if options.date_hierarchy else []
        fields += [it.name for it in model._meta.fields]
        for name in map(str, fields):
            ends = ("", "__exact", "__gte", "__lt", "__isnull", "__in", "__year", "__month", "__day", "__id__exact")
            names |= {name + end for end in (*ends, "__isempty", "__regex", "__range", "__date", "__contains")}
    return sorted(names)


HEADERS = [
    *("hx-request", "hx-current-url", "hx-target", "hx-boosted", "hx-trigger", "hx-prompt", "hx-source"),
    *("range", "if-range", "if-modified-since", "if-none-match", "if-match", "accept", "accept-language"),
    *("accept-encoding", "content-type", "content-length", "content-encoding", "cookie", "origin", "referer", "host"),
    *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-csrftoken", "user-agent", "authorization"),
    *("x-requested-with", "transfer-encoding", "expect", "hx-request-type", "x-http-method-override", "date"),
]
COOKIES = ("sessionid", "csrftoken", "messages", "timezone", "a", "")
HEADER_VALUES = [
    *("", "*", "bytes=0-", "bytes=-1", "bytes=5-1", f"bytes={'9' * 30}-", "bytes=0-0,2-3", "items=x", 'W/"', '"', ","),
    *("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 99 Foo 0000 99:99:99 GMT", "0", "now"),
    *("true", "false", "http://localhost/", "http://[", "http://localhost/%ff", "//", "/", "http://localhost:99999/"),
    *(
        "http://localhost/conversations/99999999999999999999/?date=0001-01-01",
        "null",
        "en;q=x",
        "en;q=1e999",
        "x" * 4000,
    ),
    *(
        "gzip;q=",
        "text/html; q=nan",
        "\x80\xff",
        "\u00e9",
        "127.0.0.1, ",
        "::1",
        "unknown",
        "fe80::1%eth0",
        "1.2.3.4:5",
    ),
    *("application/x-www-form-urlencoded; charset=utf-16", "multipart/form-data", "multipart/form-data; boundary="),
    *("multipart/form-data; boundary=\xe9", "application/json", "text/plain; charset=nothing", "Basic \xff", "Bearer"),
    *("-1", "99999999999999999999", "\u00b2", "1 1", "0x1", "localhost:99999", "localhost:x", "[::1", "a..b", "lo cal"),
]


@st.composite
def odd_headers(draw: st.DrawFn) -> dict[str, str]:
    names = draw(st.lists(st.sampled_from(HEADERS), max_size=3, unique=True))
    values = st.sampled_from(HEADER_VALUES) | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"))
    headers = {name: draw(values) for name in names}
    if "cookie" in headers:
        pairs = st.tuples(st.sampled_from(COOKIES), ODD)
        headers["cookie"] = "; ".join(f"{name}={quote(encode(value))}" for name, value in draw(st.lists(pairs)))
    return headers


CHARSETS = (
    "utf-8",
    "utf-16",
    "utf-7",
    "unicode_escape",
    "raw_unicode_escape",
    "idna",
    "base64",
    "undefined",
    "nothing",
)


@st.composite
def odd_bodies(draw: st.DrawFn, fields: Sequence[tuple[str, str]]) -> tuple[str, bytes]:
    """A form's content type and body, in one of both encodings."""
    kind = draw(st.sampled_from(["urlencoded"] * 3 + ["multipart"] * 2 + ["raw"]))
    if kind == "urlencoded":
        body = b"&".join(_quote(name) + b"=" + _quote(value) for name, value in fields)
        return "application/x-www-form-urlencoded", body
    if kind == "raw":
        types = (
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=b",
            "application/json",
            "text/plain",
        )
        bodies = (b"=&&=&%", b"&" * 3000, b"a=1&" * 2000, b"\xff=\xff", b"--b\r\n\r\n--b--", b"--b", b"[" * 2000, b"\0")
        return draw(st.sampled_from(types)), draw(st.sampled_from(bodies) | RAW)
    charset = draw(st.sampled_from(CHARSETS))
    encoded_in = draw(st.sampled_from(["", "", "; charset=" + charset]))
    parts = []
    for name, value in fields:
        head = b'content-disposition: form-data; name="' + encode(name).replace(b'"', b"%22") + b'"'
        if draw(st.integers(0, 4)) == 0:
            head = b"content-disposition: form-data; name*=" + charset.encode() + b"''" + _quote(name)
        if "file" in name or draw(st.integers(0, 9)) == 0:
            file = encode(draw(ODD)).replace(b"\r", b"").replace(b"\n", b"").replace(b'"', b"%22")
            head += draw(st.sampled_from([b'; filename="' + file + b'"', b"; filename*=utf-8''" + _quote(file)]))
            head += b"\r\ncontent-type: " + draw(
                st.sampled_from([b"text/plain", b"image/png", b"", b"x", b"text/plain; charset=" + charset.encode()])
            )
        if draw(st.integers(0, 9)) == 0:
            head += b"\r\ncontent-transfer-encoding: " + draw(st.sampled_from([b"base64", b"quoted-printable", b"x"]))
        parts.append(b"--b\r\n" + head + b"\r\n\r\n" + encode(value) + b"\r\n")
    return f"multipart/form-data; boundary=b{encoded_in}", b"".join(parts) + b"--b--\r\n"


@dataclass(frozen=True)
class Form:
    action: str
    method: str
    fields: tuple[tuple[str, str], ...]


def forms_in(page: bytes, address: str) -> list[Form]:
    """The forms of a page, with the values that they would send."""
    if not page.strip():
        return []
    return [_read_form(it, address) for it in html.document_fromstring(page).xpath("//form")]


def _read_form(form: Any, address: str) -> Form:
    fields = [(name, str(value)) for name, value in form.form_values()]
    fields += [(button.get("name"), button.get("value", "")) for button in form.xpath(".//button[@name]")]
    action = form.get("hx-post") or form.get("action") or address
    return Form(action.partition("?")[0] or address, form.get("method", "post").upper(), tuple(fields))


def refuse_what_postgresql_refuses(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    for row in params if many else [params]:
        for value in row or ():
            if isinstance(value, str):
                assert "\0" not in value, "PostgreSQL stores no NUL"
                value.encode()
            if isinstance(value, int):
                assert abs(value) < 2**63, "no column is that large"
    return execute(sql, params, many, context)


@contextmanager
def undone() -> Iterator[None]:
    """Takes back what the block writes to the database."""
    with transaction.atomic(), connection.execute_wrapper(refuse_what_postgresql_refuses):
        yield
        transaction.set_rollback(True)
