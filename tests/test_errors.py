"""The pages that say what went wrong: each in our words, none without a way on."""

from django.template.loader import render_to_string

from tests.accounts.pages import offences_against_csp, page


def test_what_is_not_there_leads_back(browser_of, ada):
    answer = browser_of(ada).get("/nowhere/")
    assert answer.status_code == 404
    assert "does not exist, or you don’t have access to it" in answer.text
    assert page(answer).xpath("//main//a/@href") == ["/"]
    assert not offences_against_csp(answer)


def test_what_is_not_allowed_says_who_one_is(browser_of, ada):
    answer = browser_of(ada).get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "Ada Lovelace does not have permission to open this page" in answer.text


def test_an_unknown_host_is_told_what_to_do(client, db, settings):
    settings.DEBUG = False
    answer = client.get("/healthz", HTTP_HOST="other.example")
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.text


def test_the_page_for_a_failure_needs_nothing_that_may_have_failed():
    assert "Something went wrong" in render_to_string("500.html")
