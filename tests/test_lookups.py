"""Values that no column can hold, in forms and in searches."""

import pytest
from django.db import models

from accounts.models import User
from conversations.models import Conversation

LONG = ["x" * 70_000, "%" * 30_000, "\u00e9" * 30_000]


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_numbers_beyond_a_column_are_in_no_list_of_keys(db, number):
    person = User.objects.create_user("ada")
    assert list(User.objects.filter(pk__in=[number, str(number)])) == []
    assert list(User.objects.filter(pk__in=[number, person.pk])) == [person]
    assert list(User.objects.exclude(pk__in=[number])) == [person]


def test_a_list_of_keys_can_be_a_query(db):
    person = User.objects.create_user("ada")
    assert list(User.objects.filter(pk__in=User.objects.values("pk"))) == [person]


@pytest.mark.parametrize("text", LONG)
@pytest.mark.parametrize("how", ["iexact", "contains", "icontains", "startswith", "istartswith"])
def test_a_text_can_be_too_long_to_be_found(db, how, text):
    person = User.objects.create_user("ada")
    found = models.Q(**{f"username__{how}": text})
    assert list(User.objects.filter(found)) == []
    assert list(User.objects.exclude(found)) == [person]


@pytest.mark.parametrize("text", LONG)
def test_a_person_with_a_long_name_cannot_be_added(client, db, text):
    owner = User.objects.create_user("ada")
    conversation = Conversation.objects.create()
    conversation.participants.create(user=owner, role="owner")
    client.force_login(owner)
    assert client.post(f"/conversations/{conversation.pk}/members/", {"name": text}).status_code == 422


def test_a_tool_whose_number_is_too_large_is_refused(client, db):
    owner = User.objects.create_user("ada")
    conversation = Conversation.objects.create()
    conversation.participants.create(user=owner, role="owner")
    client.force_login(owner)
    answer = client.post(f"/conversations/{conversation.pk}/settings/", {"tools": str(2**63)})
    assert answer.status_code == 422


@pytest.mark.parametrize("field", ["groups", "user_permissions"])
def test_a_group_whose_number_is_too_large_is_refused(client, db, field):
    root = User.objects.create_superuser("root", "", "harbour light at six")
    client.force_login(root)
    answer = client.post(f"/admin/accounts/user/{root.pk}/change/", {"username": "root", field: str(2**63)})
    assert answer.status_code == 200
