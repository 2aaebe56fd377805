"""Saves groups of errors. What it keeps is bounded."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from chatsite.errors.recorder import MOST_REFERENCES, Sighting
from chatsite.installation.version import read_version
from chatsite.models import ErrorGroup

MOST_GROUPS: Final = 500
"""Groups to keep: the latest."""
KEPT: Final = timedelta(days=90)
"""For how long a group stays after its last error."""


def save(sightings: Iterable[Sighting]) -> None:
    """Adds to the groups of other processes. Either all or none are saved."""
    with transaction.atomic():
        # In the same order in every process, so that two never wait for each other.
        has_new = [save_one(each) for each in sorted(sightings, key=lambda each: each.fingerprint)]
    if any(has_new):
        purge()


def save_one(sighting: Sighting) -> bool:
    """Returns whether the group is new."""
    new = {"first_at": sighting.first_at, "last_at": sighting.last_at}
    locked = ErrorGroup.objects.select_for_update()
    group, is_new = locked.get_or_create(fingerprint=sighting.fingerprint, defaults=new)
    for name in ("logger", "exception", "place", "message", "description", "traceback"):
        setattr(group, name, getattr(sighting, name))
    group.version = read_version()
    group.count = F("count") + sighting.count
    group.first_at = min(group.first_at, sighting.first_at)
    group.last_at = max(group.last_at, sighting.last_at)
    latest_first = dict.fromkeys([*reversed(sighting.references), *group.references.split()])
    group.references = " ".join([*latest_first][:MOST_REFERENCES])
    if group.resolved_at and group.resolved_at < sighting.last_at:
        group.resolved_at = None
    group.save()
    return is_new


def purge() -> None:
    """Deletes groups that are old, and the oldest of too many."""
    ErrorGroup.objects.filter(last_at__lt=now() - KEPT).delete()
    excess = ErrorGroup.objects.order_by("-last_at", "-pk").values_list("pk", flat=True)[MOST_GROUPS:]
    ErrorGroup.objects.filter(pk__in=list(excess)).delete()
