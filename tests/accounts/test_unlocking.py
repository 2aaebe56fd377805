"""An operator lets somebody in again who cannot sign in."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.accounts.visits import is_signed_in, sign_in
from tests.browser.site import manage


def unlock(username, *options):
    """Returns the new password."""
    output = StringIO()
    call_command("unlock", username, *options, stdout=output)
    return output.getvalue().splitlines()[0].rpartition(" ")[2]


@pytest.mark.django_db
def test_a_person_who_was_deactivated_and_has_to_wait_can_sign_in(client, ada):
    sign_in(client)
    ada.is_active = False
    ada.save()
    while sign_in(client, password="wrong").status_code != 429:
        pass
    password = unlock("Ada")
    assert not is_signed_in(client)
    sign_in(client, password=password)
    assert is_signed_in(client)
    ada.refresh_from_db()
    assert not ada.is_superuser


@pytest.mark.django_db
def test_a_person_becomes_an_administrator_if_asked_for(ada):
    unlock("ada", "--administrator")
    ada.refresh_from_db()
    assert ada.is_staff and ada.is_superuser


@pytest.mark.django_db
def test_an_unknown_name_lists_the_administrators(ada):
    with pytest.raises(CommandError, match="No user is called “eva”. Administrators are: none."):
        unlock("eva")
    unlock("ada", "--administrator")
    with pytest.raises(CommandError, match="Administrators are: ada."):
        unlock("eva")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "no such table"),
        ({"DATABASE_URL": "sqlite:////nowhere/db.sqlite3"}, "/nowhere/db.sqlite3 cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_sentence(tmp_path, changes, words):
    done = manage(tmp_path, "unlock", "ada", **changes)
    [sentence] = done.stderr.strip().splitlines()
    assert done.returncode == 1 and sentence.startswith("CommandError: ") and words in sentence
