"""Keys are sealed in the database and can be read only with the installation's SEALING_KEY."""

import pytest
from django.db import connection

from tests.upstreams.views.providers import SECRET, provider
from upstreams.sealing import SealBroken, seal, unseal


def test_a_sealed_key_can_be_read():
    assert unseal(seal("päss wörd")) == "päss wörd"


def test_an_empty_key_stays_empty():
    assert (seal(""), unseal("")) == ("", "")


def test_two_seals_of_one_key_differ():
    assert seal(SECRET) != seal(SECRET)


def test_another_sealing_key_cannot_unseal(settings):
    sealed = seal(SECRET)
    settings.SEALING_KEY = "another"
    with pytest.raises(SealBroken, match="Enter it again"):
        unseal(sealed)


def test_a_damaged_seal_is_detected():
    with pytest.raises(SealBroken):
        unseal(seal(SECRET)[:-4])


def test_the_database_does_not_contain_the_key(db):
    made = provider()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM upstreams_provider WHERE id = %s", [made.pk])
        row = cursor.fetchone()
    assert not any(SECRET in str(column) for column in row)
    assert made.build_endpoint().key == SECRET


def test_an_endpoint_does_not_show_its_key(db):
    assert SECRET not in repr(provider().build_endpoint())
