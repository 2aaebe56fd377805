"""API keys: their secrets, their validity and who sees them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.utils.timezone import now

from accounts.keys import PREFIX, SECRET_CHARACTERS, ApiKey, read_secret
from accounts.models import User
from gateway.catalogue.lookups import find_key


@pytest.fixture
def key_and_secret(ada):
    """Ada's key and its secret."""
    key = ApiKey(person=ada, name="Nightly report")
    secret = key.renew_secret()
    key.save()
    return key, secret


def test_a_key_is_found_by_its_secret_alone(key_and_secret):
    key, secret = key_and_secret
    found = find_key(secret)
    assert found == key and found.person.username == "ada"
    changed = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    for other in (changed, secret.upper(), secret[:-1], secret + "a", secret.removeprefix(PREFIX), key.beginning, ""):
        assert find_key(other) is None


def test_the_secret_is_not_stored(key_and_secret):
    key, secret = key_and_secret
    assert secret.startswith(key.beginning) and len(secret) == len(PREFIX) + SECRET_CHARACTERS
    [row] = ApiKey.objects.values()
    assert secret not in str(row) and secret[len(key.beginning) :] not in str(row)


def test_every_secret_is_different(ada):
    key = ApiKey(person=ada, name="Often renewed")
    assert len({key.renew_secret() for _ in range(50)}) == 50


def test_a_new_secret_ends_the_old_one(key_and_secret):
    key, old = key_and_secret
    new = key.renew_secret()
    key.save()
    assert find_key(new) == key and find_key(old) is None


def test_a_revoked_key_is_invalid_and_has_the_time_of_revocation(key_and_secret):
    key, secret = key_and_secret
    key.revoke()
    key.refresh_from_db()
    first = key.revoked_at
    assert first and not key.is_valid and find_key(secret) is None
    key.revoke()
    key.refresh_from_db()
    assert key.revoked_at == first


def test_a_key_is_invalid_from_the_moment_it_expires(key_and_secret):
    key, secret = key_and_secret
    for ends, lets_in in ((now() + timedelta(minutes=1), True), (now(), False), (now() - timedelta(days=1), False)):
        ApiKey.objects.update(expires_at=ends)
        key.refresh_from_db()
        assert (find_key(secret) == key, key.is_valid, key.is_expired) == (lets_in, lets_in, not lets_in)


def test_the_keys_of_a_deactivated_person_are_invalid(key_and_secret, ada):
    key, secret = key_and_secret
    User.objects.filter(pk=ada.pk).update(is_active=False)
    key.person.refresh_from_db()
    assert find_key(secret) is None and not key.is_valid
    User.objects.filter(pk=ada.pk).update(is_active=True)
    assert find_key(secret) == key


def test_people_see_their_own_keys_and_administrators_see_all_keys(key_and_secret, ada, mallory, root):
    key, _ = key_and_secret
    assert list(ApiKey.objects.visible_to(ada)) == [key] == list(ApiKey.objects.visible_to(root))
    assert not ApiKey.objects.visible_to(mallory) and not ApiKey.objects.visible_to(AnonymousUser())
    mallory.user_permissions.add(Permission.objects.get(codename="change_apikey"))
    assert list(ApiKey.objects.visible_to(User.objects.get(pk=mallory.pk))) == [key]


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({"authorization": "Bearer cs-one"}, "cs-one"),
        ({"authorization": "bearer  cs-one "}, "cs-one"),
        ({"x-api-key": " cs-one "}, "cs-one"),
        ({"x-api-key": "cs-one", "authorization": "Bearer cs-two"}, "cs-one"),
        ({"x-api-key": "", "authorization": "Bearer cs-two"}, "cs-two"),
        ({"authorization": "Basic cs-one"}, ""),
        ({"authorization": "cs-one"}, ""),
        ({}, ""),
    ],
)
def test_both_headers_are_read(headers, secret):
    assert read_secret(headers) == secret
