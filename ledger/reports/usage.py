"""Reads usage in a range of dates: totals, rows by person, model or key, and buckets by day or month."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any, Final

from django.contrib.auth.models import Group
from django.db.models import Max, Q, QuerySet, Sum
from django.utils.timezone import now

from accounts.models import ApiKey, User
from ledger.models import CallSource, Entry, Period, UsageSum
from ledger.models.usage_sum import SUMMED_FIELDS
from ledger.periods import midnight
from upstreams.models import ChatModel

MAX_DAILY: Final = 62
"""Days of the longest range that is shown day by day. Longer ones are shown by months."""


@dataclass(frozen=True, slots=True)
class DateRange:
    """From the first day to the last, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def end(self) -> date:
        """The day after the last."""
        return self.last + timedelta(days=1)

    @property
    def span(self) -> Period:
        """Whether its buckets are days or months."""
        return Period.MONTH if self.days > MAX_DAILY else Period.DAY


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """The calls to count: primary keys, where 0 means calls without any, and a source; None means all."""

    person: int | None = None
    model: int | None = None
    group: int | None = None
    key: int | None = None
    source: CallSource | None = None

    @property
    def active(self) -> dict[str, Any]:
        """The values that are not None, by name."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}


ALL: Final = UsageFilter()


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over calls. `cost` covers the calls with known prices."""

    calls: int = 0
    estimated_calls: int = 0
    failed_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    thinking_tokens: int = 0
    cost: Decimal = Decimal(0)

    @property
    def tokens(self) -> int:
        """All tokens read and written. Thinking is part of the output."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


class Dimension(StrEnum):
    PERSON = "person"
    MODEL = "model"
    GROUP = "group"
    KEY = "key"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class UsageRow:
    """`subject` is the filter value for this row alone; `detail` is a model's provider or a key's owner.

    `is_gone` means that the person, model, group or key has been deleted.
    """

    subject: int | str
    name: str
    figures: Figures
    detail: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """A day or a month. Only its days within the range count."""

    start: date
    figures: Figures


UNNAMED: Final = {
    Dimension.PERSON: "Nobody",
    Dimension.MODEL: "No model",
    Dimension.GROUP: "No group",
    Dimension.KEY: "No key",
}
DETAILS: Final = {Dimension.MODEL: "provider_name", Dimension.KEY: "person_name"}
SUMS: Final = {f"sum_{name}": Sum(name) for name in SUMMED_FIELDS}


def get_totals(dates: DateRange, only: UsageFilter = ALL) -> Figures:
    return read_figures(find_sums(dates, only).aggregate(**SUMS))


def list_rows(by: Dimension, dates: DateRange, only: UsageFilter = ALL) -> list[UsageRow]:
    """One row for each person, model, group, key or source: highest cost first, then most tokens."""
    if by is Dimension.SOURCE:
        by_source = find_sums(dates, only).values("source").annotate(**SUMS).order_by()
        return sort_rows(
            UsageRow(each["source"], CallSource(each["source"]).label, read_figures(each)) for each in by_source
        )
    pk, name = f"{by}_pk", f"{by}_name"
    copied = {"name": Max(name)} | ({"detail": Max(DETAILS[by])} if by in DETAILS else {})
    found: list[Any] = list(find_sums(dates, only).values(pk).annotate(**SUMS, **copied).order_by())
    names = find_current_names(by, [each[pk] for each in found])
    return sort_rows(
        UsageRow(
            subject=each[pk],
            name=names.get(each[pk]) or each["name"] or UNNAMED[by],
            figures=read_figures(each),
            detail=each.get("detail", ""),
            is_gone=each[pk] not in names and each[pk] != 0,
        )
        for each in found
    )


def list_buckets(dates: DateRange, only: UsageFilter = ALL) -> list[Bucket]:
    """Every day or month of the range in order, including those without calls."""
    is_daily = dates.span is Period.DAY
    by_start = {start: Figures() for start in iterate_starts(dates)}
    for each in find_sums(dates, only, daily=is_daily).values("start").annotate(**SUMS).order_by():
        start = each["start"] if is_daily else each["start"].replace(day=1)
        by_start[start] += read_figures(each)
    return [Bucket(start, figures) for start, figures in by_start.items()]


def find_entries(dates: DateRange, only: UsageFilter = ALL) -> "QuerySet[Entry]":
    """The calls themselves, newest first, including those that are still running."""
    names = {"person": "person_id", "model": "chat_model_id", "group": "group_id", "key": "key_id"}
    wanted: dict[str, Any] = {names[name]: pk or None for name, pk in only.active.items() if name in names}
    if only.source:
        wanted["source"] = only.source
    started = Entry.objects.filter(started_at__gte=midnight(dates.first), started_at__lt=midnight(dates.end))
    return started.filter(**wanted).order_by("-started_at", "-pk")


def find_sums(dates: DateRange, only: UsageFilter, *, daily: bool = False) -> "QuerySet[UsageSum]":
    """The rows that add up to the range: one for each whole month in it unless `daily`, and one for each other day."""
    wanted = {"source" if name == "source" else f"{name}_pk": value for name, value in only.active.items()}
    parts = [(Period.DAY, dates.first, dates.end)] if daily else list(split_into_spans(dates))
    # Each condition is a plain stretch of the index. A shorter one would scan the whole table.
    conditions = [Q(span=span, start__gte=first, start__lt=end) for span, first, end in parts]
    return UsageSum.objects.filter(reduce(or_, conditions), **wanted)


def split_into_spans(dates: DateRange) -> Iterator[tuple[Period, date, date]]:
    """Splits the range into days, whole months and days; each part ends where the next begins."""
    end = dates.end
    if dates.last >= Period.DAY.start(now()):
        # There are no calls after today, so the row of this month is complete.
        end = Period.MONTH.after(dates.last)
    first_month = dates.first if dates.first.day == 1 else Period.MONTH.after(dates.first)
    last_month = max(first_month, end.replace(day=1))
    for span, first, until in (
        (Period.DAY, dates.first, min(first_month, end)),
        (Period.MONTH, first_month, last_month),
        (Period.DAY, last_month, end),
    ):
        if first < until:
            yield span, first, until


def iterate_starts(dates: DateRange) -> Iterator[date]:
    """The start of each bucket."""
    start = dates.first.replace(day=1) if dates.span is Period.MONTH else dates.first
    while start <= dates.last:
        yield start
        start = dates.span.after(start)


def read_figures(row: Any) -> Figures:
    """Reads the sums of a row that has SUMS; those over no rows are None and count as 0."""
    figures = {name: row[f"sum_{name}"] for name in SUMMED_FIELDS}
    return Figures(**{name: figure for name, figure in figures.items() if figure is not None})


def sort_rows(rows: Iterable[UsageRow]) -> list[UsageRow]:
    return sorted(rows, key=lambda row: (-row.figures.cost, -row.figures.tokens, row.name.casefold()))


def find_current_names(by: Dimension, pks: Iterable[int]) -> dict[int, str]:
    """The names of those that still exist, as they are today."""
    models: dict[Dimension, Any] = {
        Dimension.PERSON: User,
        Dimension.MODEL: ChatModel,
        Dimension.GROUP: Group,
        Dimension.KEY: ApiKey,
    }
    return {pk: str(each) for pk, each in models[by].objects.in_bulk(list(pks)).items()}
