"""A person's list of conversations, newest first, a page at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from django.db.models import Exists, Max, OuterRef
from django.utils.timezone import now

from accounts.models import User
from chatsite.values.moments import parse_moment
from chatsite.values.numbers import whole_number
from conversations.live.periods import name_period
from conversations.models import Conversation, Generation, Participant

PAGE_SIZE = 40
FOUND_LIMIT = 20
WORDS = 8
"""The maximum number of words that a search looks for."""


@dataclass(frozen=True, slots=True)
class SidebarRow:
    """A conversation in a list. Apart from its heading, the row is the same for all participants."""

    conversation: Conversation
    is_running: bool
    active_at: datetime = field(default_factory=now)
    heading: str = ""
    """The name of the period that begins with this row of a page. Broadcast rows have none."""

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        """Reads the conversation again, because the given one may be minutes old."""
        running = Generation.objects.unfinished().filter(conversation=OuterRef("pk"))
        latest = Conversation.objects.annotate(is_running=Exists(running), active_at=Max("participants__active_at"))
        fresh: Any = latest.get(pk=conversation.pk)
        return cls(fresh, fresh.is_running, fresh.active_at or now())


@dataclass(frozen=True, slots=True)
class SidebarPage:
    """`after` is the cursor of the next page, "" on the last one."""

    rows: list[SidebarRow]
    after: str


def load_page(person: User, after: str = "", *, continues_list: bool = False) -> SidebarPage:
    """Pages by key, so that new turns neither repeat nor hide a conversation. Takes one query.

    A page that `continues_list` does not repeat the heading of the page before it.
    """
    found = Participant.objects.filter(user=person, conversation__deleted_at=None)
    running = Generation.objects.unfinished().filter(conversation=OuterRef("conversation"))
    found = found.select_related("conversation").annotate(is_running=Exists(running)).order_by("-active_at", "-pk")
    key = parse_cursor(after)
    if key:
        found = found.filter(active_at__lte=key[0]).exclude(active_at=key[0], pk__gte=key[1])
    page = list(found[: PAGE_SIZE + 1])
    last = page[PAGE_SIZE - 1] if len(page) > PAGE_SIZE else None
    rows = [SidebarRow(each.conversation, each.is_running, each.active_at) for each in page[:PAGE_SIZE]]
    rows = list(_add_headings(rows, key[0] if key and continues_list else None))
    return SidebarPage(rows, f"{last.active_at.isoformat()}/{last.pk}" if last else "")


def _add_headings(rows: Iterable[SidebarRow], previous: datetime | None) -> Iterator[SidebarRow]:
    """Gives a heading to the first row of each period, unless the `previous` row is in the same one."""
    present = now()
    last = name_period(previous, present) if previous else ""
    for row in rows:
        period = name_period(row.active_at, present)
        yield row if period == last else replace(row, heading=period)
        last = period


def find(person: User, words: str) -> list[Conversation]:
    """Returns the person's latest conversations whose titles contain all of the words."""
    found = Participant.objects.filter(user=person, conversation__deleted_at=None)
    for word in words.split()[:WORDS]:
        found = found.filter(conversation__title__icontains=word)
    latest = found.select_related("conversation").order_by("-active_at", "-pk")[:FOUND_LIMIT]
    return [each.conversation for each in latest]


def parse_cursor(after: str) -> tuple[datetime, int] | None:
    moment, _, key = after.partition("/")
    active_at, pk = parse_moment(moment), whole_number(key)
    return (active_at, pk) if active_at and pk is not None else None
