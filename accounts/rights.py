"""Nobody gains rights through others: people give only rights that they hold, and manage only accounts without more.

Superusers hold all rights. These rules are about stored rights, so that a deactivated account keeps its protection.
"""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

from accounts.models import User


def find_permissions(person: User) -> QuerySet[Permission]:
    """The permissions that the person holds and can therefore give."""
    if person.is_superuser:
        return Permission.objects.all()
    held = Permission.objects.filter(Q(user=person) | Q(group__user=person))
    return Permission.objects.filter(pk__in=held.values("pk"))


def find_manageable_people(manager: User) -> QuerySet[User]:
    """The people without any right that the manager lacks."""
    if manager.is_superuser:
        return User.objects.all()
    missing = _find_missing_permissions(manager)
    people = User.objects.filter(is_superuser=False)
    if not manager.is_staff:
        people = people.filter(is_staff=False)
    return people.exclude(user_permissions__in=missing).exclude(groups__permissions__in=missing)


def find_manageable_groups(manager: User) -> QuerySet[Group]:
    """The groups without any right that the manager lacks."""
    if manager.is_superuser:
        return Group.objects.all()
    return Group.objects.exclude(permissions__in=_find_missing_permissions(manager))


def _find_missing_permissions(person: User) -> QuerySet[Permission]:
    return Permission.objects.exclude(pk__in=find_permissions(person).values("pk"))
