"""Signing in: the page, who gets in and which errors are shown."""

import pytest
from django.test import Client
from django.urls import NoReverseMatch, reverse

from accounts.models import User
from accounts.throttling import forget_failures
from chatsite import settings as production
from tests.accounts.pages import PASSWORD, alert, buttons, labels, offences_against_csp, page
from tests.accounts.visits import LOGIN, is_signed_in, sign_in


def test_the_page_asks_for_username_and_password(client, ada):
    answer = client.get(LOGIN)
    fields = labels(answer)
    assert [*fields] == ["Username", "Password"]
    assert fields["Username"].get("autocomplete") == "username"
    assert "autofocus" in fields["Username"].attrib
    assert fields["Password"].get("autocomplete") == "current-password"
    assert fields["Password"].get("type") == "password"
    assert "Sign in" in buttons(answer)
    assert "Forgot your password? Ask an administrator." in answer.text
    assert not offences_against_csp(answer)


def test_ada_signs_in_and_reaches_the_home_page(client, ada):
    answer = sign_in(client)
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert is_signed_in(client)


def test_a_username_is_found_whatever_its_case(client, ada):
    sign_in(client, username=" ADA ")
    assert is_signed_in(client)


@pytest.mark.parametrize("typed", ["Ädá Straße", "ädá straße", "ÄDÁ STRASSE", " A\u0308dá Straße ", "ädá Stra\u1e9ee"])
def test_letters_beyond_ascii_have_no_case_either(client, ada, typed):
    User.objects.filter(pk=ada.pk).update(username="Ädá Straße")
    for _ in range(5):
        sign_in(client, username="ÄDÁ Straße", password="wrong")
    assert "Too many failed attempts" in alert(sign_in(client, username=typed))
    forget_failures("Ädá Straße")
    sign_in(client, username=typed)
    assert is_signed_in(client)


@pytest.mark.parametrize("typed", ["Straße", "straße"])
def test_of_two_old_usernames_that_differ_by_case_the_nearest_is_meant(client, ada, ben, typed):
    User.objects.filter(pk=ada.pk).update(username="STRASSE")
    User.objects.filter(pk=ben.pk).update(username="Straße")
    sign_in(client, username=typed)
    assert client.get("/").wsgi_request.user == ben


def test_a_wrong_password_shows_an_alert_and_keeps_the_username(client, ada):
    answer = sign_in(client, password="wrong")
    assert answer.status_code == 422
    assert "Wrong username or password" in alert(answer)
    assert labels(answer)["Username"].get("value") == "ada"
    assert "autofocus" in labels(answer)["Password"].attrib
    assert "wrong" not in answer.text
    assert not is_signed_in(client)


def test_an_unknown_username_gets_the_same_error_as_a_wrong_password(client, ada):
    assert alert(sign_in(client, password="wrong")) == alert(sign_in(client, username="nobody", password="wrong"))


def test_a_deactivated_person_sees_that_only_with_the_right_password(client, ada):
    ada.is_active = False
    ada.save()
    assert "deactivated. Ask an administrator" in alert(sign_in(client))
    assert not is_signed_in(client)
    assert "deactivated" not in alert(sign_in(client, password="wrong"))


def test_after_signing_in_ada_reaches_the_requested_page(client, ada):
    wall = client.get("/accounts/password/")
    assert wall["Location"] == "/accounts/login/?next=/accounts/password/"
    assert page(client.get(wall["Location"])).xpath("//input[@name='next']/@value") == ["/accounts/password/"]
    assert sign_in(client, path=wall["Location"])["Location"] == "/accounts/password/"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http://localhost:1/",
        "///x",
    ],
)
def test_sign_in_never_redirects_to_another_site(client, ada, elsewhere):
    answer = client.post(LOGIN, {"login": "ada", "password": PASSWORD, "next": elsewhere})
    assert answer["Location"] == "/"


def test_a_signed_in_person_is_redirected_home(browser_of, ada):
    answer = browser_of(ada).get(LOGIN)
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_signing_in_changes_the_session(client, ada):
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = session.session_key
    sign_in(client)
    assert client.session.session_key != session.session_key
    assert is_signed_in(client)


def test_signing_in_needs_the_csrf_token(ada):
    client = Client(enforce_csrf_checks=True)
    answer = sign_in(client)
    assert answer.status_code == 403
    assert "This page has expired" in answer.text
    assert not is_signed_in(client)


def test_sessions_are_hidden_from_scripts(client, ada):
    cookie = sign_in(client).cookies["sessionid"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"


@pytest.mark.parametrize("name", ["account_signup", "account_reset_password", "account_email", "account_set_password"])
def test_there_is_no_sign_up_and_nothing_by_email(name):
    with pytest.raises(NoReverseMatch):
        reverse(name)


def test_passwords_are_hashed_with_argon2(db, settings):
    settings.PASSWORD_HASHERS = production.PASSWORD_HASHERS
    assert User.objects.create_user("grace", password=PASSWORD).password.startswith("argon2$argon2id$")
