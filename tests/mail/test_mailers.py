"""EMAIL_URL, EMAIL_FROM and EMAIL_TIMEOUT: what they mean, and that a wrong one is a sentence without the password."""

from urllib.parse import quote

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import mailers
from hypothesis import given
from hypothesis import strategies as st

from chatsite.mail.mailers import read_mailers, read_sender, read_timeout
from tests.browser.site import manage

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)


def options(url: str):
    return read_mailers(url, 10)["default"]["OPTIONS"]


@pytest.mark.parametrize(
    ("url", "port", "encryption"),
    [
        ("smtp://mail.example.org", 25, (False, False)),
        ("smtp://mail.example.org:2525/", 2525, (False, False)),
        ("smtp+tls://mail.example.org", 587, (True, False)),
        ("SMTPS://mail.example.org", 465, (False, True)),
        ("smtp+ssl://mail.example.org:4650", 4650, (False, True)),
    ],
)
def test_a_scheme_names_the_encryption_and_the_usual_port(settings, url, port, encryption):
    settings.MAILERS = read_mailers(url, 10)
    backend = mailers.default
    assert (backend.host, backend.port) == ("mail.example.org", port)
    assert (backend.use_tls, backend.use_ssl) == encryption
    assert backend.timeout == 10


def test_an_ipv6_address_can_be_the_host():
    assert (options("smtp://[::1]:25")["host"], options("smtp://[::1]")["port"]) == ("::1", 25)


@given(username=PRINTABLE, password=PRINTABLE)
def test_every_printable_password_can_be_written(username, password):
    found = options(f"smtp://{quote(username, safe='')}:{quote(password, safe='')}@mail.example.org")
    assert (found["username"], found["password"], found["host"]) == (username, password, "mail.example.org")


@given(password=PRINTABLE)
def test_a_password_that_is_not_encoded_is_read_as_written_or_refused_without_showing_it(password):
    """A slash, a question mark or a hash in a password would cut the URL, and send mail to another server."""
    try:
        found = options(f"smtp://ada:zq9{password}9qz@mail.example.org:587")
    except ImproperlyConfigured as refusal:
        assert "zq9" not in str(refusal) and (refusal.__suppress_context__ or not refusal.__context__)
    else:
        assert found["host"] == "mail.example.org" and found["port"] == 587


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org", "http://mail.example.org", "smtp:mail.example.org", "smtp://", "smtp://:25", "smtp://@:25",
        "smtp://mail.example.org:0", "smtp://mail.example.org:65536", "smtp://mail.example.org:mail",
        "smtp://mail.example.org/inbox", "smtp://mail.example.org?ssl=1", "smtp://ada@mail.example.org",
        "smtp://:secret@mail.example.org", "smtp://[::1", "smtp://ada:p%C3%A4ss@mail.example.org",
        "smtp://ada:one%0Atwo@mail.example.org", "smtp://ada:one%00two@mail.example.org", "console:stdout", "memory:",
        "smtp://mail..example.org", f"smtp://{'m' * 64}.example.org", "smtp://mail example.org",
    ],
)  # fmt: skip
def test_a_wrong_url_is_a_sentence(url):
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        read_mailers(url, 10)


def test_without_a_url_there_is_no_mail_and_console_prints_it():
    assert read_mailers("", 10) == {}
    assert read_mailers("console:", 10)["default"]["BACKEND"].endswith("console.EmailBackend")


@pytest.mark.parametrize("text", ["0", "-1", "61", "nan", "inf", "ten", "", "1e9"])
def test_a_wrong_timeout_is_a_sentence(text):
    with pytest.raises(ImproperlyConfigured, match="EMAIL_TIMEOUT must be a number of seconds from 1 to 60"):
        read_timeout(text)


@pytest.mark.parametrize(
    ("text", "url", "hosts", "sender"),
    [
        ("Chat <chat@example.org>", "smtp://mail.example.org", [], "Chat <chat@example.org>"),
        ("chat@example.org", "smtp://mail.example.org", [], "chat@example.org"),
        ("", "smtp://ada%40example.org:secret@mail.example.org", ["chat.example"], "ada@example.org"),
        ("", "smtp://ada:secret@mail.example.org", ["localhost", "127.0.0.1", "chat.example"], "chatsite@chat.example"),
        ("", "smtp://mail.example.org", ["*", ".chat.example"], "chatsite@chat.example"),
        ("", "console:", ["localhost", "127.0.0.1", "[::1]", "*"], "chatsite@localhost"),
    ],
)
def test_the_sender_is_the_one_that_is_set_or_is_derived(text, url, hosts, sender):
    assert read_sender(text, read_mailers(url, 10), hosts) == sender


@pytest.mark.parametrize("text", ["chat", "<chat@example.org", "a@b, c@d", "a@b\nBcc: c@d", "Chat chat@example.org"])
def test_a_wrong_sender_is_a_sentence(text):
    with pytest.raises(ImproperlyConfigured, match="EMAIL_FROM must be an address"):
        read_sender(text, {}, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"EMAIL_URL": "smtp://ada:zq9/secret@mail.example.org"},
        {"EMAIL_URL": "smtp://ada:zq9@mail.example.org", "EMAIL_TIMEOUT": "soon"},
        {"EMAIL_URL": "smtp://ada:zq9@mail.example.org", "EMAIL_FROM": "nobody"},
        {"DATABASE_URL": "postgres://ada:zq9/secret@db.example.org/chat"},
        {"DATABASE_URL": "mysql://ada:zq9@db.example.org/chat"},
        {"DATABASE_URL": "postgres://ada:12/zq9@db.example.org/chat"},
        {"REDIS_URL": "redis://ada:zq9/secret@cache.example.org"},
        {"REDIS_URL": "rediss://ada:12?zq9@cache.example.org"},
        {"REDIS_URL": "http://ada:zq9@cache.example.org"},
    ],
)
def test_a_site_with_a_wrong_url_does_not_start_and_does_not_print_the_password(tmp_path, wrong):
    done = manage(tmp_path, "check", **wrong)
    assert done.returncode == 1
    [sentence] = done.stderr.strip().splitlines()
    assert sentence.startswith("The settings cannot be used: ") and "_" in sentence and "zq9" not in sentence
