"""Whose account a call goes on."""

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import Group
from django.db import models

from accounts.models import ApiKey, User

SITE: Final = 0
"""The subject of what is counted for everybody together."""

# Written out, as in statements.py.
FIRST_GROUP: Final = f"""
SELECT g.id, g.name FROM {Group._meta.db_table} g
JOIN {User.groups.through._meta.db_table} m ON m.group_id = g.id
WHERE m.user_id = %s ORDER BY g.name LIMIT 1
"""  # noqa: S608


class Scope(models.TextChoices):
    SITE = "site", "the whole site"
    GROUP = "group", "a group"
    PERSON = "person", "a person"
    KEY = "key", "an API key"


@dataclass(frozen=True, slots=True)
class Payer:
    """Primary keys of the person, of the group that stands for them, and of the key that their program shows.

    `payer["person"]` is one of them, by its scope; `payer["site"]` is what everybody pays for.
    """

    person: int | None = None
    group: int | None = None
    key: int | None = None

    def __getitem__(self, scope: str) -> int | None:
        if scope == "site":
            return SITE
        subject: int | None = getattr(self, scope)
        return subject

    @classmethod
    def of(cls, person: User | None, key: ApiKey | None = None) -> "Payer":
        group = group_of(person)
        return cls(person.pk if person else None, group.pk if group else None, key.pk if key else None)


def group_of(person: User | None) -> Group | None:
    """Who is in several groups is booked to the first of them by name: so no call counts in two of them."""
    return next(iter(Group.objects.raw(FIRST_GROUP, [person.pk])), None) if person else None
