"""The error pages explain what went wrong and what to do next."""

import logging
from io import StringIO

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.views.debug import get_default_exception_reporter_filter

from chatsite.mail.mailers import read_mailers
from tests.accounts.pages import offences_against_csp, page


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
