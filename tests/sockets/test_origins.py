"""Only pages of this very site can open a socket: scheme, host and port count."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsite.serving.origins import Origin, is_from_own_page


def is_let_in(*origins: str, host: str = "chat.example", headers: Any = (), scheme: str = "ws") -> bool:
    sent = [(b"host", host.encode()), *((b"origin", origin.encode("latin-1")) for origin in origins), *headers]
    scope = {"type": "websocket", "path": "/ws/", "scheme": scheme, "query_string": b"", "headers": sent}
    return is_from_own_page(scope)


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    names = ["chat.example", "other.example", ".team.example", "xn--bro-hoa.example", "localhost", "127.0.0.1", "[::1]"]
    settings.ALLOWED_HOSTS = names
    settings.CSRF_TRUSTED_ORIGINS = []
    settings.SECURE_PROXY_SSL_HEADER = None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("chat.example", "http://chat.example"),
        ("chat.example:80", "http://chat.example"),
        ("chat.example", "http://chat.example:80"),
        ("Chat.Example", "http://chat.example"),
        ("chat.example", "HTTP://CHAT.example"),
        ("chat.example:8000", "http://chat.example:8000"),
        ("chat.example.", "http://chat.example."),
        ("a.team.example", "http://a.team.example"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("[::1]", "http://[0:0:0:0:0:0:0:1]:80"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("xn--bro-hoa.example", "http://xn--bro-hoa.example"),
    ],
)
def test_a_page_of_this_site_is_let_in(host: str, origin: str) -> None:
    assert is_let_in(origin, host=host)


@pytest.mark.parametrize(
    "origin",
    [
        "https://chat.example",
        "http://chat.example:8000",
        "http://chat.example:443",
        "http://other.example",
        "http://localhost",
        "http://chat.example.",
        "http://chat.example.evil.example",
        "http://evil.example",
        "http://evilchat.example",
        "http://sub.chat.example",
        "http://xn--bro-hoa.example",
        "null",
        "",
        "chat.example",
        "//chat.example",
        "file://chat.example",
        "ws://chat.example",
        "http://",
        "http://:80",
        "http://chat.example/",
        "http://chat.example/ws/",
        "http://chat.example?",
        "http://chat.example#",
        "http://chat.example:",
        "http://chat.example:0",
        "http://chat.example:99999999999999999999",
        "http://chat.example:８０".encode().decode("latin-1"),
        "http://user@chat.example",
        "http://chat.example@evil.example",
        "http://evil.example\\@chat.example",
        "http://evil.example\\.chat.example",
        "http://chat.example http://evil.example",
        "http://chat.example,http://evil.example",
        "http://evil.example,http://chat.example",
        "http://chat.example,http://chat.example",
        " http://chat.example",
        "http://chat.example\t",
        "http://chat.example\n",
        "http://chat%2eexample",
        "http://[::1",
        "http://[::1]",
        "http://[evil.example]",
        "http://[::ffff:zz]",
        "http://\xff",
    ],
)
def test_any_other_page_is_refused(origin: str) -> None:
    assert not is_let_in(origin)


def test_a_client_without_an_origin_or_with_several_is_refused() -> None:
    own = "http://chat.example"
    assert is_let_in(own)
    for origins in ((), (own, own), (own, "http://evil.example"), ("http://evil.example", own), (own, "null")):
        assert not is_let_in(*origins)


@pytest.mark.parametrize(
    "host", ["evil.example", "", "chat.example,evil.example", "chat.example:x", "[::1", "chat_example", "[::2]"]
)
def test_a_host_that_is_not_ours_has_no_pages(host: str) -> None:
    assert not is_let_in(f"http://{host}", host=host)
    assert not is_let_in("http://chat.example", host=host)


@pytest.mark.parametrize(
    ("forwarded", "origin"),
    [
        ("https", "https://chat.example"),
        ("wss", "https://chat.example"),
        ("HTTPS", "https://chat.example"),
        ("https, http", "https://chat.example"),
        ("https", "https://chat.example:443"),
        ("http", "http://chat.example"),
        ("ws", "http://chat.example"),
        (None, "http://chat.example"),
    ],
)
def test_behind_a_proxy_the_scheme_is_the_one_of_the_browser(settings: Any, forwarded: str | None, origin: str) -> None:
    headers = [(b"x-forwarded-proto", forwarded.encode())] if forwarded else []
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert is_let_in(origin, headers=headers)
    swapped = origin.replace("https:", "http:") if "https:" in origin else origin.replace("http:", "https:")
    assert not is_let_in(swapped, headers=headers)


def test_without_a_proxy_nobody_can_claim_a_scheme() -> None:
    headers = [(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"other.example")]
    assert not is_let_in("https://chat.example", headers=headers)
    assert not is_let_in("http://other.example", headers=headers)
    assert is_let_in("http://chat.example", headers=headers)


def test_a_server_that_ends_tls_itself_says_so_in_the_scheme() -> None:
    assert is_let_in("https://chat.example", scheme="wss")
    assert not is_let_in("http://chat.example", scheme="wss")


@pytest.mark.parametrize(
    ("trusted", "origin", "is_in"),
    [
        ("https://public.example", "https://public.example", True),
        ("https://public.example:443", "https://public.example", True),
        ("https://public.example:8443", "https://public.example:8443", True),
        ("https://PUBLIC.example", "https://public.example", True),
        ("https://büro.example", "https://xn--bro-hoa.example", True),
        ("https://*.public.example", "https://a.public.example", True),
        ("https://*.public.example", "https://a.b.public.example", True),
        ("https://*.public.example:8443", "https://a.public.example:8443", True),
        ("https://public.example", "http://public.example", False),
        ("https://public.example", "https://public.example:8443", False),
        ("https://public.example", "https://a.public.example", False),
        ("https://*.public.example", "http://a.public.example", False),
        ("https://*.public.example", "https://a.public.example:8443", False),
        ("https://*.public.example", "https://evilpublic.example", False),
        ("https://*.public.example", "https://public.example.evil.example", False),
    ],
)
def test_a_trusted_origin_is_let_in(settings: Any, trusted: str, origin: str, is_in: bool) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [trusted]
    assert is_let_in(origin) == is_in


@given(st.text(alphabet=st.characters(max_codepoint=255)) | st.from_regex(r"https?://[\[\]:.a-z0-9@/\\%-]*(:[0-9]*)?"))
def test_no_text_fails_and_what_is_accepted_is_one_origin(text: str) -> None:
    origin = Origin.parse(text)
    if origin:
        written = f"{origin.scheme}://{origin.host}:{origin.port}"
        assert Origin.parse(written) == origin
        assert not set(origin.host) & set(" ,/?#@\\%")
