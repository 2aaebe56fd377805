"""The error pages explain what went wrong and what to do next."""

import logging
from io import StringIO

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.views.debug import get_default_exception_reporter_filter

from chatsite.logs.request_ids import set_request_id
from chatsite.mail.mailers import read_mailers
from tests.accounts.pages import offences_against_csp, page
from tests.pages import HTMX


def test_a_missing_page_links_back_to_the_site(browser_of, ada):
    answer = browser_of(ada).get("/nowhere/")
    assert answer.status_code == 404
    assert "does not exist, or you don’t have access to it" in answer.text
    assert page(answer).xpath("//main//a/@href") == ["/"]
    assert not offences_against_csp(answer)


def test_a_forbidden_page_names_the_person_signed_in(browser_of, ada):
    answer = browser_of(ada).get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "Ada Lovelace does not have permission to open this page" in answer.text


def test_an_unknown_host_gets_advice(client, db, settings):
    settings.DEBUG = False
    answer = client.get("/accounts/login/", HTTP_HOST="other.example")
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize(("count", "kind"), [(300, "files"), (3000, "fields")])
def test_a_request_with_too_many_parts_is_refused_with_the_limit_and_one_line(
    browser_of, ada, monkeypatch, count, kind
):
    handler = logging.getHandlerByName("refusals")
    monkeypatch.setattr(handler, "stream", log := StringIO())
    file = SimpleUploadedFile("a.txt", b"a")
    parts = {f"name{number}": file if kind == "files" else "a" for number in range(count)}
    answer = browser_of(ada).post("/accounts/theme/", parts)
    assert answer.status_code == 400
    limit = getattr(settings, f"DATA_UPLOAD_MAX_NUMBER_{kind.upper()}")
    assert f"at most {limit} {kind}" in answer.text
    assert log.getvalue().count("\n") == 1 and " WARNING django.security.TooMany" in log.getvalue()


def test_the_page_for_an_internal_error_needs_no_context():
    assert "Something went wrong" in render_to_string("500.html")


def test_the_error_pages_of_debug_show_no_secret(settings):
    settings.MAILERS = read_mailers("smtp://ada:zq9secret@mail.example.org", 5)
    settings.REDIS_URL = "redis://ada:zq9secret@cache.example.org"
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": settings.REDIS_URL}}
    settings.SEALING_KEY = settings.METRICS_TOKEN = "zq9secret"
    shown = get_default_exception_reporter_filter().get_safe_settings()
    assert "zq9secret" not in str(shown) and "mail.example.org" in str(shown)


def test_the_pages_for_faults_name_a_reference():
    for name in ("500.html", "503.html", "400.html"):
        assert "Reference" not in render_to_string(name)
        assert 'Reference: <code class="reference">req_1</code>' in render_to_string(name, {"reference": "req_1"})


@pytest.fixture
def broken(browser_of, ada, monkeypatch):
    """A browser whose requests for the account page meet a fault."""

    def fail(*_):
        raise ValueError("no tea")

    monkeypatch.setattr("accounts.views.render", fail)
    browser = browser_of(ada)
    browser.raise_request_exception = False
    set_request_id("req_1")
    yield browser
    set_request_id("")


def test_a_page_with_a_fault_shows_its_reference(broken):
    answer = broken.get("/accounts/")
    assert answer.status_code == 500
    assert "Something went wrong" in page(answer).xpath("string(//h1)") and ">req_1</code>" in answer.text


def test_an_open_page_stays_and_shows_a_toast_with_the_reference(broken):
    answer = broken.get("/accounts/", headers=HTMX)
    assert answer.status_code == 500
    assert (answer["hx-retarget"], answer["hx-reswap"]) == ("#toasts", "beforeend")
    assert answer.text.startswith('<div class="toast">') and ">req_1</code>" in answer.text


def test_the_page_for_an_internal_error_needs_no_list_of_hashed_files(settings):
    settings.STORAGES |= {"staticfiles": {"BACKEND": "chatsite.installation.storage.StaticFilesStorage"}}
    assert 'href="/static/css/base.css"' in render_to_string("500.html")
