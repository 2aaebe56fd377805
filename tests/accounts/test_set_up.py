"""The first administrator, created by the link from the console or from the environment."""

import threading
from urllib.parse import urlsplit

import pytest
from django.core import signing
from django.db import connection
from django.test import Client

from accounts import set_up
from accounts.models import User
from tests.accounts.pages import PASSWORD, buttons, labels, offences_against_csp
from tests.accounts.visits import is_signed_in


def link() -> str:
    return urlsplit(set_up.make_link("http://127.0.0.1:8000/")).path


def fill_in(client, address, username="grace", password="harbour light at six", again=None, **more):
    form = {"username": username, "name": "Grace Hopper", "password1": password, "password2": again or password}
    return client.post(address, form, **more)


def test_without_people_every_page_leads_to_set_up_instructions(client, db):
    answer = client.get("/accounts/", follow=True)
    assert answer.redirect_chain == [("/accounts/login/?next=/accounts/", 302)]
    assert "This site has no accounts yet." in answer.text and "console" in answer.text
    assert "set-up/" not in answer.text
    assert "Sign in" not in buttons(answer)


def test_the_link_is_complete():
    assert set_up.make_link("http://127.0.0.1:8000/").startswith("http://127.0.0.1:8000/accounts/set-up/")


def test_the_link_creates_and_signs_in_the_first_administrator(client, db):
    address = link()
    answer = client.get(address)
    assert [*labels(answer)] == ["Username", "Name", "Password", "Password again"]
    assert not offences_against_csp(answer)
    answer = fill_in(client, address)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_signed_in(client)
    grace = User.objects.get()
    assert (grace.username, str(grace), grace.is_superuser, grace.is_staff) == ("grace", "Grace Hopper", True, True)
    assert grace.check_password("harbour light at six")


def test_the_link_is_neither_sent_as_referrer_nor_cached(client, db):
    answer = client.get(link())
    assert answer["Referrer-Policy"] == "strict-origin"
    assert "no-store" in answer["Cache-Control"]


def test_the_link_is_invalid_once_there_is_an_account(client, ada):
    address = link()
    assert client.get(address).status_code == 404
    assert fill_in(client, address).status_code == 404
    assert User.objects.count() == 1


def test_a_link_lasts_a_day(client, db, monkeypatch):
    address = link()
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + set_up.LINK_LIFETIME - 60)
    assert client.get(address).status_code == 200
    monkeypatch.setattr(signing.time, "time", lambda: now + set_up.LINK_LIFETIME + 60)
    assert client.get(address).status_code == 404


@pytest.mark.parametrize("token", ["x", "a:b:c", signing.dumps("guess", salt="guess")], ids=["word", "shape", "signed"])
def test_a_guessed_link_is_invalid(client, db, token):
    assert client.get(f"/accounts/set-up/{token}/").status_code == 404


def test_every_start_makes_a_new_link():
    assert link() != link()


def test_the_password_must_meet_the_rules_and_be_typed_twice(client, db):
    address = link()
    answer = fill_in(client, address, password="grace hopper")
    assert answer.status_code == 422
    assert "too similar to the name" in answer.text
    assert "too common" in fill_in(client, address, password="1234567890").text
    assert "match" in fill_in(client, address, again="another harbour").text
    assert not User.objects.exists()


def test_it_needs_the_csrf_token(db):
    assert fill_in(Client(enforce_csrf_checks=True), link()).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_if_two_people_use_the_link_at_once_one_becomes_administrator():
    addresses, start, answers = (link(), link()), threading.Barrier(2), []

    def take(address: str, username: str) -> None:
        start.wait()
        answers.append(fill_in(Client(), address, username=username).status_code)
        connection.close()

    people = [threading.Thread(target=take, args=pair) for pair in zip(addresses, ("grace", "edsger"), strict=True)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(answers) == [302, 404]
    assert User.objects.count() == 1


@pytest.fixture
def named_in_environment(settings):
    settings.SUPERUSER_USERNAME, settings.SUPERUSER_EMAIL = "boss", "boss@example.org"
    settings.SUPERUSER_PASSWORD = PASSWORD


def test_the_environment_names_the_administrator(db, named_in_environment):
    boss = set_up.create_administrator_from_environment()
    assert (boss.username, boss.email, boss.is_superuser) == ("boss", "boss@example.org", True)
    assert boss.check_password(PASSWORD)


def test_the_environment_leaves_an_account_of_that_name_alone(db, named_in_environment, settings):
    set_up.create_administrator_from_environment()
    settings.SUPERUSER_USERNAME, settings.SUPERUSER_PASSWORD = "Boss", "another password"
    assert set_up.create_administrator_from_environment() is None
    assert User.objects.get().check_password(PASSWORD)


def test_a_name_without_a_password_is_reported_and_creates_no_account(db, named_in_environment, settings):
    settings.SUPERUSER_PASSWORD = ""
    with pytest.raises(set_up.NoPassword, match="without DJANGO_SUPERUSER_PASSWORD"):
        set_up.create_administrator_from_environment()
    assert not User.objects.exists()


def test_without_a_name_the_environment_creates_no_account(db):
    assert set_up.create_administrator_from_environment() is None
