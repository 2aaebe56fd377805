"""The error pages explain what went wrong and what to do next."""

from django.template.loader import render_to_string

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
    answer = client.get("/healthz", HTTP_HOST="other.example")
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.text


def test_the_page_for_an_internal_error_needs_no_context():
    assert "Something went wrong" in render_to_string("500.html")
