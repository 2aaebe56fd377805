"""Signing in again by dialog after a session has ended."""

import json

import pytest
from django.test import Client
from lxml import html

from accounts.models import User
from tests.accounts.pages import PASSWORD, alert, offences_against_csp
from tests.pages import HTMX

AGAIN = "/accounts/login/?next=/accounts/again/"

pytestmark = pytest.mark.django_db


def partial(source: str) -> html.HtmlElement:
    [element] = html.fragments_fromstring(source)
    assert element.tag == "hx-partial"
    return element


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ["/", "/turns/", "/conversations/1/turns/", "/unsent/", "/conversations/"])
def test_an_htmx_request_gets_the_dialog_instead_of_a_redirect(client: Client, path: str, method: str) -> None:
    answer = getattr(client, method)(path, {"text": "Hello"}, headers=HTMX)
    assert answer.status_code == 401
    dialog = partial(answer.text)
    assert (dialog.get("hx-target"), dialog.get("hx-swap")) == ("#dialog", "innerHTML")
    [form] = dialog.cssselect("form")
    assert form.get("hx-post") == AGAIN
    assert {field.get("name") for field in form.cssselect("input")} == {"login", "password", "csrfmiddlewaretoken"}
    assert not offences_against_csp(answer)


def test_the_dialog_reveals_nothing_about_the_requested_page(client: Client, ada: User) -> None:
    answers = [client.get(path, headers=HTMX) for path in ("/conversations/1/", "/conversations/999/", "/admin/")]
    assert {answer.status_code for answer in answers} <= {401, 302}
    assert "Hello" not in client.post("/turns/", {"text": "Hello"}, headers=HTMX).text


def test_a_plain_request_is_redirected_to_the_sign_in_page(client: Client) -> None:
    answer = client.post("/conversations/1/turns/", {"text": "Hello"})
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/conversations/1/turns/"


def test_a_signed_in_person_gets_no_dialog(browser_of, ada: User) -> None:
    assert browser_of(ada).get("/", headers=HTMX).status_code == 200


def test_other_errors_and_redirects_are_left_alone(browser_of, ada: User) -> None:
    answer = browser_of(ada).post("/conversations/1/stop/", headers=HTMX)
    assert answer.status_code == 404
    answer = browser_of(ada).get("/accounts/login/", headers=HTMX)
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_signing_in_from_the_dialog_gives_the_page_a_token_that_its_forms_can_use(ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    dialog = partial(browser.get("/", headers=HTMX).text)
    fields = {"login": "ada", "password": PASSWORD}
    token = dialog.cssselect("[name=csrfmiddlewaretoken]")[0].get("value")
    answer = browser.post(AGAIN, fields | {"csrfmiddlewaretoken": token}, headers=HTMX)
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/again/")
    answer = browser.get(answer["Location"], headers=HTMX)
    assert answer.status_code == 200
    fresh = json.loads(answer["HX-Trigger"])["session:renewed"]["token"]
    assert fresh != token
    assert browser.post("/unsent/", {"text": "Hello"}, headers=HTMX).status_code == 403
    assert browser.post("/unsent/", {"text": "Hello"}, headers=HTMX | {"x-csrftoken": fresh}).status_code == 204
    by_form = {"text": "Hello", "csrfmiddlewaretoken": fresh}
    assert browser.post("/unsent/", by_form, headers=HTMX).status_code == 204


def test_refusing_an_old_token_sends_the_new_one(ada: User, ben: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    refused = browser.post("/unsent/", {"text": "Hello"}, headers=HTMX | {"x-csrftoken": "f" * 32})
    assert (refused.status_code, refused["X-Person"]) == (403, str(ada.pk))
    assert "This page has expired" in refused.text
    assert not offences_against_csp(refused)
    fresh = refused["X-CSRFToken"]
    assert browser.post("/unsent/", {"text": "Hello"}, headers=HTMX | {"x-csrftoken": fresh}).status_code == 204
    # The page sends again only if the session still belongs to the same person.
    browser.force_login(ben)
    assert browser.post("/unsent/", {"text": "Hello"}, headers=HTMX)["X-Person"] == str(ben.pk)
    assert Client(enforce_csrf_checks=True).post("/unsent/", {}, headers=HTMX)["X-Person"] == ""


def test_the_dialog_shows_a_wrong_password(client: Client, ada: User) -> None:
    answer = client.post(AGAIN, {"login": "ada", "password": "wrong"}, headers=HTMX)
    assert answer.status_code == 422
    assert "Wrong username or password" in alert(answer)
    [form] = html.fragment_fromstring(answer.text, create_parent="div").cssselect("form")
    assert form.get("hx-post") == AGAIN
    assert "<html" not in answer.text and "wrong" not in answer.text
    assert client.get("/", headers=HTMX).status_code == 401


def test_guessing_in_the_dialog_is_throttled(client: Client, ada: User) -> None:
    for _ in range(5):
        client.post(AGAIN, {"login": "ada", "password": "wrong"}, headers=HTMX)
    answer = client.post(AGAIN, {"login": "ada", "password": PASSWORD}, headers=HTMX)
    assert answer.status_code == 429
    assert client.get("/", headers=HTMX).status_code == 401


def test_only_a_signed_in_person_gets_a_token(client: Client) -> None:
    assert client.get("/accounts/again/").status_code == 302
    answer = client.get("/accounts/again/", headers=HTMX)
    assert (answer.status_code, answer.headers.get("HX-Trigger")) == (401, None)


def test_the_session_of_another_person_starts_empty(client: Client, ada: User, ben: User) -> None:
    client.force_login(ada)
    client.post("/accounts/logout/")
    client.post(AGAIN, {"login": "ben", "password": PASSWORD}, headers=HTMX)
    assert client.get("/").context["request"].user == ben
