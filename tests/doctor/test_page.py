"""The page "System": what administrators see, also of the proxy in front of the site."""

import httpx
import pytest
from django.urls import reverse

from tests.browser.site import Site
from tests.pages import Page, fragment, words

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(root, browser_of):
    return browser_of(root)


def test_the_page_names_what_is_broken_and_shows_no_secret(admin, settings):
    settings.SECRET_KEY_FALLBACKS, settings.METRICS_TOKEN = ["zq9secret"], "zq9"
    settings.REDIS_URL = "redis://ada:zq9secret@127.0.0.1:1/0"
    page = admin.get(reverse("system"))
    main = words(Page(page.text).one("#main"))
    assert "SECRET_KEY_FALLBACKS has 1 previous key." in main and "Redis does not answer" in main
    assert "zq9" not in page.text


def test_each_finding_has_its_level_in_words(admin):
    page = Page(admin.get(reverse("system")).text)
    assert {words(chip) for chip in page.find(".finding .chip")} <= {"OK", "To look at", "Broken"}
    assert len(page.find(".finding .chip")) == len(page.find(".finding")) > 5


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("works", "its messages arrive"), ("silent", "nothing arrives through it"), ("failed", "did not open")],
)
def test_what_became_of_the_socket_is_explained(admin, outcome, expected):
    query = {"outcome": outcome, "origin": "http://testserver"}
    assert expected in words(fragment(admin.get(reverse("system_socket"), query).text))


@pytest.mark.parametrize("origin", ["https://chat.example", "null", "<script>", "\u2603", "http://a" * 200])
def test_a_socket_that_the_origin_check_refused_is_explained(admin, origin):
    answer = admin.get(reverse("system_socket"), {"outcome": "failed", "origin": origin})
    assert "chatsite refused the WebSocket" in answer.text and "CSRF_TRUSTED_ORIGINS" in answer.text
    assert "<script>" not in answer.text


# ---------------------------------------------------------------- a real site


@pytest.fixture(scope="module")
def direct(tmp_path_factory):
    with Visitor(tmp_path_factory.mktemp("direct")) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    data = tmp_path_factory.mktemp("proxied")
    with Visitor(data, BEHIND_PROXY="true", HTTPS="true", ALLOWED_HOSTS="chat.example") as visitor:
        yield visitor


class Visitor:
    """An administrator who sends headers as a proxy would."""

    def __init__(self, data, **settings: str) -> None:
        people = {"DJANGO_SUPERUSER_USERNAME": "ruth", "DJANGO_SUPERUSER_PASSWORD": "a quiet reading room"}
        self.site = Site(data, **people, **settings)
        self.is_proxied = bool(settings)

    def __enter__(self):
        self.site.__enter__()
        self.http = httpx.Client(base_url=self.site.url, timeout=30)
        sent = {"host": "chat.example", "x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
        self.proxy = sent if self.is_proxied else {}
        referer = {"referer": "https://chat.example/"} if self.is_proxied else {}
        cookies = self.http.get("/accounts/login/", headers=self.proxy).cookies
        form = {"login": "ruth", "password": "a quiet reading room", "csrfmiddlewaretoken": cookies["csrftoken"]}
        crumbs = "; ".join(f"{name}={value}" for name, value in cookies.items())
        answer = self.http.post("/accounts/login/", data=form, headers={**self.proxy, **referer, "cookie": crumbs})
        assert answer.status_code == 302, answer.text
        self.http.cookies.clear()
        self.cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()
        self.site.__exit__(*error)

    def read(self, **headers: str | None) -> str:
        """What the page says of the proxy. A header that is None is left out."""
        sent = {
            **self.proxy,
            "cookie": self.cookie,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        answer = self.http.get("/settings/system/", headers={name: value for name, value in sent.items() if value})
        assert answer.status_code == 200, (answer.status_code, answer.headers)
        return words(Page(answer.text).one("section[aria-label=Proxy]"))


def test_without_a_proxy(direct):
    assert "OK This request came without a proxy." in direct.read()


@pytest.mark.parametrize("header", ["x_forwarded_for", "via", "x_real_ip"])
def test_a_proxy_that_the_site_does_not_know_of(direct, header):
    assert "came through a proxy, and BEHIND_PROXY is off" in direct.read(**{header: "203.0.113.9"})


def test_tls_that_the_site_does_not_know_of(direct):
    assert "Set HTTPS=true." in direct.read(x_forwarded_proto="https")


def test_another_host_than_people_use(direct):
    assert "people use chat.example" in direct.read(x_forwarded_host="chat.example")


def test_a_proxy_that_passes_everything(proxied):
    shown = proxied.read()
    assert "OK The proxy names the client and the scheme." in shown
    assert "X-Forwarded-For 203.0.113.9" in shown and "Scheme https" in shown
    assert "Address of the client 203.0.113.9" in shown


def test_headers_that_arrive_twice_are_shown_twice(direct):
    sent = [("cookie", direct.cookie), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "203.0.113.10")]
    shown = words(Page(direct.http.get("/settings/system/", headers=sent).text).one("section[aria-label=Proxy]"))
    assert "X-Forwarded-For 203.0.113.9 X-Forwarded-For 203.0.113.10" in shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "X-Forwarded-For is missing"),
        ("unknown", "“unknown”, is not an IP address"),
        ("203.0.113.9, 10.0.0.2", "is 10.0.0.2, a private one"),
        ("<b>x</b>", "is not an IP address"),
    ],
)
def test_a_proxy_that_does_not_name_the_client(proxied, value, expected):
    assert expected in proxied.read(x_forwarded_for=value)
