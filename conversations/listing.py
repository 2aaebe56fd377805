"""A person's conversations, newest first, a page at a time."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.dateparse import parse_datetime

from accounts.models import User
from conversations.models import Participant

PAGE_SIZE = 40


@dataclass(frozen=True, slots=True)
class Page:
    """`after` is the place to go on from; empty when there is no more."""

    places: list[Participant]
    after: str


def page_of(person: User, after: str = "") -> Page:
    """Pages by key, not by number: new turns neither repeat nor hide a conversation."""
    places = Participant.objects.filter(user=person, conversation__deleted_at=None)
    places = places.select_related("conversation").order_by("-active_at", "-pk")
    if key := parsed(after):
        places = places.filter(active_at__lte=key[0]).exclude(active_at=key[0], pk__gte=key[1])
    page = list(places[: PAGE_SIZE + 1])
    last = page[PAGE_SIZE - 1] if len(page) > PAGE_SIZE else None
    return Page(page[:PAGE_SIZE], f"{last.active_at.isoformat()}/{last.pk}" if last else "")


def parsed(after: str) -> tuple[datetime, int] | None:
    moment, _, pk = after.partition("/")
    try:
        active_at = parse_datetime(moment)
    except ValueError:
        return None
    return (active_at, int(pk)) if active_at and active_at.tzinfo and pk.isascii() and pk.isdigit() else None
