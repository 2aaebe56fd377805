"""Identifies the payers of a call: a person, their group, their API key, and the site."""

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import Group
from django.db import models

from accounts.models import ApiKey, User
from chatsite.sql import Statement

SITE: Final = 0
"""The subject of a budget for the whole site."""

FIRST_GROUP: Final = Statement(
    f"SELECT g.id, g.name FROM {Group._meta.db_table} g"  # noqa: S608
    f" JOIN {User.groups.through._meta.db_table} m ON m.group_id = g.id WHERE m.user_id = %s ORDER BY g.name LIMIT 1"
)


class Scope(models.TextChoices):
    SITE = "site", "the whole site"
    GROUP = "group", "a group"
    PERSON = "person", "a person"
    KEY = "key", "an API key"


@dataclass(frozen=True, slots=True)
class Payer:
    """The primary keys of a person, their group and their API key; None for those that do not apply.

    `payer[scope]` is the subject in this scope, which for the site is always SITE.
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
        group = find_group(person)
        return cls(person.pk if person else None, group.pk if group else None, key.pk if key else None)


def find_group(person: User | None) -> Group | None:
    """The person's first group by name, so that no call counts in two groups."""
    row = FIRST_GROUP.fetch_one(person.pk) if person else None
    return Group(id=row[0], name=row[1]) if row else None
