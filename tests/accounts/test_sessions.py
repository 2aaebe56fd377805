"""Whether a session is alive, which open connections check."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.sessions import is_session_alive


@pytest.fixture
def key(browser_of, ada):
    return browser_of(ada).session.session_key


def test_a_session_is_alive_while_its_person_is_signed_in(ada, key, django_assert_num_queries):
    with django_assert_num_queries(2):
        assert is_session_alive(ada.pk, key)


def test_a_session_ends_with_signing_out(browser_of, ada):
    browser = browser_of(ada)
    key = browser.session.session_key
    browser.post("/accounts/logout/")
    assert not is_session_alive(ada.pk, key)


def test_a_session_ends_when_it_expires(ada, key):
    Session.objects.filter(pk=key).update(expire_date=timezone.now() - timedelta(seconds=1))
    assert not is_session_alive(ada.pk, key)


def test_a_session_ends_with_deactivation(ada, key):
    ada.is_active = False
    ada.save()
    assert not is_session_alive(ada.pk, key)


def test_a_session_ends_when_the_password_changes(ada, key):
    ada.set_password("an even quieter room")
    ada.save()
    assert not is_session_alive(ada.pk, key)


def test_a_session_outlives_a_new_secret_key_that_names_the_old_one(ada, key, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret-key-of-a-decent-length-0123456789"
    assert is_session_alive(ada.pk, key)
    settings.SECRET_KEY_FALLBACKS = []
    assert not is_session_alive(ada.pk, key)


def test_a_session_belongs_to_one_person(ada, ben, key):
    assert not is_session_alive(ben.pk, key)


def test_an_unknown_session_is_not_alive(ada):
    assert not is_session_alive(ada.pk, "")
    assert not is_session_alive(ada.pk, "0123456789abcdefghijklmnopqrstuv")
