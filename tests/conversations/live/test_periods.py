"""The list of conversations is divided by days and months of the current time zone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils.timezone import now, override

from accounts.models import User
from conversations.live.periods import name_period
from conversations.live.sidebar import PAGE_SIZE, load_page
from conversations.models import Participant
from conversations.verbs import turns


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        ("2026-03-29T23:59", "Today"),
        ("2026-03-30T09:00", "Today"),  # Another process's clock may be ahead.
        ("2026-03-29T00:00", "Today"),
        ("2026-03-28T23:59", "Yesterday"),
        ("2026-03-28T00:00", "Yesterday"),
        ("2026-03-27T23:59", "Previous 7 days"),
        ("2026-03-22T00:00", "Previous 7 days"),
        ("2026-03-21T23:59", "Previous 30 days"),
        ("2026-02-27T00:00", "Previous 30 days"),
        ("2026-02-26T23:59", "February"),
        ("2026-01-01T00:00", "January"),
        ("2025-12-31T23:59", "December 2025"),
        ("0999-05-01T00:00", "May 999"),
    ],
)
def test_a_moment_is_in_a_period(moment: str, name: str) -> None:
    present = datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert name_period(datetime.fromisoformat(f"{moment}Z"), present) == name


def test_the_days_are_those_of_the_time_zone_even_when_the_clock_changes() -> None:
    late = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    present = datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert name_period(late, present) == "Yesterday"
    with override("Europe/Berlin"):
        assert name_period(late, present) == "Today"
        assert name_period(late - timedelta(hours=1), present) == "Yesterday"


@pytest.mark.django_db
def test_a_page_that_continues_a_list_repeats_no_heading(ada: User) -> None:
    for minutes in range(2 * PAGE_SIZE + 5):
        made = turns.begin(ada, title=f"Number {minutes}")
        age = timedelta(days=10, minutes=minutes) if minutes else timedelta()
        Participant.objects.filter(conversation=made).update(active_at=now() - age)
    headings: list[str] = []
    after, continues = "", False
    while after or not continues:
        page = load_page(ada, after, continues_list=continues)
        headings += [row.heading for row in page.rows if row.heading]
        after, continues = page.after, True
    assert headings == ["Today", "Previous 30 days"]
    first = load_page(ada)
    assert load_page(ada, first.after).rows[0].heading == "Previous 30 days"
