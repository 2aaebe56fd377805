"""A person's list of conversations, newest first, a page at a time."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef
from django.utils.dateparse import parse_datetime

from accounts.models import User
from chatsite.numbers import whole_number
from conversations.models import Conversation, Generation, Participant

PAGE_SIZE = 40


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation's line in a list; the same for everybody who has it."""

    conversation: Conversation
    is_running: bool


@dataclass(frozen=True, slots=True)
class Page:
    """`after` is the place to go on from; empty when there is no more."""

    places: list[Place]
    after: str


def page_of(person: User, after: str = "") -> Page:
    """Pages by key, not by number: new turns neither repeat nor hide a conversation. One query."""
    found = Participant.objects.filter(user=person, conversation__deleted_at=None)
    running = Generation.objects.unfinished().filter(conversation=OuterRef("conversation"))
    found = found.select_related("conversation").annotate(is_running=Exists(running)).order_by("-active_at", "-pk")
    if key := parsed(after):
        found = found.filter(active_at__lte=key[0]).exclude(active_at=key[0], pk__gte=key[1])
    page = list(found[: PAGE_SIZE + 1])
    last = page[PAGE_SIZE - 1] if len(page) > PAGE_SIZE else None
    places = [Place(each.conversation, each.is_running) for each in page[:PAGE_SIZE]]
    return Page(places, f"{last.active_at.isoformat()}/{last.pk}" if last else "")


def place_of(conversation: Conversation) -> Place:
    fresh = Conversation.objects.get(pk=conversation.pk)
    return Place(fresh, conversation.generations.unfinished().exists())


def parsed(after: str) -> tuple[datetime, int] | None:
    moment, _, key = after.partition("/")
    pk = whole_number(key)
    try:
        active_at = parse_datetime(moment)
    except ValueError:
        return None
    return (active_at, pk) if active_at and active_at.tzinfo and pk is not None else None
