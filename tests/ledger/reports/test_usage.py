"""The figures of pages: sums by day, month, person, model, group, key and source equal the ledger's entries."""

import random
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from ledger.booking import entries
from ledger.booking.entries import Outcome
from ledger.models import CallSource, Entry
from ledger.reports import usage
from ledger.reports.usage import DateRange, Dimension, Figures, UsageFilter
from tests.ledger.calling import at, begin_call, make_call, make_key, make_meter, make_model
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db

YEAR = DateRange(date(2027, 11, 23), date(2028, 11, 22))


@pytest.fixture
def year(ada: User, ben: User, model: ChatModel, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Calls of two people, with and without keys, scattered over more than a year."""
    settings.TIME_ZONE = "America/New_York"
    ada.groups.add(Group.objects.create(name="Engineers"))
    keys = {ada: make_key(ada), ben: make_key(ben)}
    other = make_model("Other", input_price=Decimal("0.1234"), output_price=Decimal("0.7"))
    monkeypatch.setattr(usage, "now", lambda: at("2029-06-01T12:00:00"))
    chance = random.Random(7)
    for day in range(-20, 390, 15):
        moment = at("2027-11-23T12:00:00") + timedelta(days=day, hours=chance.randint(-12, 11))
        monkeypatch.setattr(entries, "now", lambda moment=moment: moment)
        for person in (ada, ben):
            for chosen in (model, other):
                key = chance.choice([None, keys[person]])
                make_call(person, chosen, chance.randint(1, 999), chance.randint(1, 999), key=key)
    entries.settle(begin_call(ada, model), make_meter([]), Outcome.STOPPED)


def by_hand(range: DateRange, **wanted: Any) -> Figures:
    total = Figures()
    for entry in Entry.objects.filter(**wanted):
        if range.first <= at(entry.started_at.isoformat()).astimezone(at("2028-01-01").tzinfo).date() <= range.last:
            total += Figures(
                calls=1,
                estimated_calls=int(entry.is_estimate),
                input_tokens=entry.input_tokens or 0,
                output_tokens=entry.output_tokens or 0,
                cost=entry.cost or Decimal(0),
            )
    return total


@pytest.mark.parametrize(
    "range",
    [
        YEAR,
        DateRange(date(2028, 1, 1), date(2028, 12, 31)),
        DateRange(date(2028, 1, 15), date(2028, 3, 17)),
        DateRange(date(2028, 1, 1), date(2028, 3, 31)),
        DateRange(date(2028, 2, 3), date(2028, 2, 10)),
        DateRange(date(2028, 2, 29), date(2028, 2, 29)),
        DateRange(date(2028, 2, 1), date(2028, 2, 29)),
        DateRange(date(2028, 2, 20), date(2028, 3, 2)),
        DateRange(date(2028, 3, 1), date(2028, 3, 20)),
        DateRange(date(2020, 1, 1), date(2035, 1, 1)),
    ],
    ids=lambda range: f"{range.first}-{range.last}",
)
def test_the_sums_of_any_range_equal_its_entries(year: None, ada: User, ben: User, range: DateRange) -> None:
    whole = by_hand(range)
    assert usage.get_totals(range) == whole
    for by in Dimension:
        assert sum((row.figures for row in usage.list_rows(by, range)), Figures()) == whole
    assert sum((bucket.figures for bucket in usage.list_buckets(range)), Figures()) == whole
    assert usage.get_totals(range, UsageFilter(person=ada.pk)) == by_hand(range, person=ada)
    assert usage.get_totals(range, UsageFilter(person=ben.pk, source=CallSource.GATEWAY)) == by_hand(
        range, person=ben, source="gateway"
    )
    assert usage.get_totals(range, UsageFilter(key=0)) == by_hand(range, key=None)
    assert usage.find_entries(range).count() == whole.calls
    assert (
        usage.find_entries(range, UsageFilter(person=ada.pk, key=0)).count()
        == by_hand(range, person=ada, key=None).calls
    )


def test_a_long_range_has_a_bucket_for_every_month(year: None) -> None:
    starts = [bucket.start for bucket in usage.list_buckets(YEAR)]
    assert starts == [date(2027, 11, 1), date(2027, 12, 1), *(date(2028, month, 1) for month in range(1, 12))]
    week = usage.list_buckets(DateRange(date(2028, 2, 26), date(2028, 3, 3)))
    assert [bucket.start for bucket in week] == [date(2028, 2, 26) + timedelta(days=day) for day in range(7)]


def test_a_long_range_reads_few_rows(year: None) -> None:
    days = usage.find_sums(YEAR, UsageFilter()).filter(span="day")
    assert {(start.year, start.month) for start in days.values_list("start", flat=True)} <= {(2027, 11), (2028, 11)}
    assert (
        not usage.find_sums(DateRange(date(2028, 1, 1), date(2028, 12, 31)), UsageFilter()).filter(span="day").exists()
    )


def test_the_current_month_is_read_as_one_row(year: None, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    latest = Entry.objects.latest("started_at").started_at.date()
    monkeypatch.setattr(usage, "now", lambda: at(f"{latest}T23:59:00"))
    until_today = DateRange(latest.replace(day=1) - timedelta(days=300), latest)
    assert not usage.find_sums(until_today, UsageFilter()).filter(span="day", start__gte=latest.replace(day=1)).exists()
    assert usage.get_totals(until_today) == by_hand(until_today)
    assert sum((bucket.figures for bucket in usage.list_buckets(until_today)), Figures()) == by_hand(until_today)


def test_rows_have_current_names_and_can_be_filtered_by(year: None, ada: User, model: ChatModel) -> None:
    User.objects.filter(pk=ada.pk).update(name="Ada King")
    ChatModel.objects.filter(pk=model.pk).delete()
    people = {row.subject: row for row in usage.list_rows(Dimension.PERSON, YEAR)}
    assert people[ada.pk].name == "Ada King"
    assert usage.get_totals(YEAR, UsageFilter(person=ada.pk)) == people[ada.pk].figures
    models = {row.name: row for row in usage.list_rows(Dimension.MODEL, YEAR)}
    assert (models["Clever"].is_gone, models["Other"].is_gone) == (True, False)
    assert models["Clever"].detail == "House"
    groups = {row.name: row.subject for row in usage.list_rows(Dimension.GROUP, YEAR)}
    assert set(groups) == {"Engineers", "No group"} and groups["No group"] == 0
    keys = {(row.name, row.detail) for row in usage.list_rows(Dimension.KEY, YEAR)}
    assert {("ci", "Ada Lovelace"), ("ci", "Ben Okri")} < keys
    assert {row.name for row in usage.list_rows(Dimension.SOURCE, YEAR)} == {"Conversations", "API"}


def test_the_highest_cost_comes_first(year: None) -> None:
    costs = [row.figures.cost for row in usage.list_rows(Dimension.MODEL, YEAR)]
    assert costs == sorted(costs, reverse=True)


def test_a_range_without_calls_is_all_zeros(ada: User) -> None:
    assert usage.get_totals(YEAR) == Figures()
    assert usage.list_rows(Dimension.PERSON, YEAR) == []
    assert {bucket.figures for bucket in usage.list_buckets(YEAR)} == {Figures()}
