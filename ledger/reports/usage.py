"""What was used in a period, by whom and for what: the questions that pages ask."""

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

MOST_DAYS: Final = 62
"""Of a period that is read, and shown, day by day; a longer one is by months."""


@dataclass(frozen=True, slots=True)
class Range:
    """From the first day to the last, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def span(self) -> Period:
        """What its buckets are."""
        return Period.MONTH if self.days > MOST_DAYS else Period.DAY


@dataclass(frozen=True, slots=True)
class Only:
    """What is looked at: primary keys (0: calls without any), and whence; None: all."""

    person: int | None = None
    model: int | None = None
    group: int | None = None
    key: int | None = None
    source: CallSource | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """`cost` is of the calls whose prices were known."""

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
        """All that were read and written; thinking is part of the output."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


class By(StrEnum):
    PERSON = "person"
    MODEL = "model"
    GROUP = "group"
    KEY = "key"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Row:
    """`subject` is what `Only` takes to look at this row alone; `detail` says more: a model's provider, a key's owner.

    `is_gone`: it has been deleted since.
    """

    subject: int | str
    name: str
    figures: Figures
    detail: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """A day or a month, of which only what lies in the range is counted."""

    start: date
    figures: Figures


NOBODY: Final = {By.PERSON: "Nobody", By.MODEL: "No model", By.GROUP: "No group", By.KEY: "No key"}
DETAILS: Final = {By.MODEL: "provider_name", By.KEY: "person_name"}


def totals(range: Range, only: Only = Only()) -> Figures:  # noqa: B008 (it is frozen)
    return figures_in(sums(range, only).aggregate(**SUMS))


def rows(by: By, range: Range, only: Only = Only()) -> list[Row]:  # noqa: B008
    """Of each person, model, group, key or source, what cost most first, then what has most tokens."""
    if by is By.SOURCE:
        by_source = sums(range, only).values("source").annotate(**SUMS).order_by()
        return ordered(Row(each["source"], CallSource(each["source"]).label, figures_in(each)) for each in by_source)
    pk, name = f"{by}_pk", f"{by}_name"
    copied = {"name": Max(name)} | ({"detail": Max(DETAILS[by])} if by in DETAILS else {})
    found: list[Any] = list(sums(range, only).values(pk).annotate(**SUMS, **copied).order_by())
    names = present_names(by, [each[pk] for each in found])
    return ordered(
        Row(
            subject=each[pk],
            name=names.get(each[pk]) or each["name"] or NOBODY[by],
            figures=figures_in(each),
            detail=each.get("detail", ""),
            is_gone=each[pk] not in names and each[pk] != 0,
        )
        for each in found
    )


def buckets(range: Range, only: Only = Only()) -> list[Bucket]:  # noqa: B008
    """Every day or month of the range in its order, those without a call too."""
    span = range.span
    by_start = {start: Figures() for start in starts(range)}
    by_day = span is Period.DAY
    for each in sums(range, only, daily=by_day).values("start").annotate(**SUMS).order_by():
        start = each["start"] if by_day else each["start"].replace(day=1)
        by_start[start] += figures_in(each)
    return [Bucket(start, figures) for start, figures in by_start.items()]


def entries(range: Range, only: Only = Only()) -> "QuerySet[Entry]":  # noqa: B008
    """The calls themselves, the latest first, those that still run included."""
    names = {"person": "person_id", "model": "chat_model_id", "group": "group_id", "key": "key_id"}
    wanted: dict[str, Any] = {names[name]: pk or None for name, pk in chosen(only).items() if name in names}
    if only.source:
        wanted["source"] = only.source
    begun = Entry.objects.filter(started_at__gte=midnight(range.first), started_at__lt=midnight(after(range)), **wanted)
    return begun.order_by("-started_at", "-pk")


def sums(range: Range, only: Only, *, daily: bool = False) -> "QuerySet[UsageSum]":
    """The rows that add up to the range: of the months that lie in it one each, unless every day is wanted."""
    wanted = {"source" if name == "source" else f"{name}_pk": value for name, value in chosen(only).items()}
    parts = [(Period.DAY, range.first, after(range))] if daily else list(stretches(range))
    # Each a plain stretch of the index: what is put more briefly is looked for in the whole table.
    rows = [Q(span=span, start__gte=first, start__lt=end) for span, first, end in parts]
    return UsageSum.objects.filter(reduce(or_, rows), **wanted)


def stretches(range: Range) -> Iterator[tuple[Period, date, date]]:
    """Days, months, days: each up to the start of the next."""
    end = after(range)
    if range.last >= Period.DAY.start(now()):
        # Nobody has called tomorrow: what there is of this month is all of it.
        end = Period.MONTH.after(range.last)
    first_month = range.first if range.first.day == 1 else Period.MONTH.after(range.first)
    last_month = max(first_month, end.replace(day=1))
    for span, first, until in (
        (Period.DAY, range.first, min(first_month, end)),
        (Period.MONTH, first_month, last_month),
        (Period.DAY, last_month, end),
    ):
        if first < until:
            yield span, first, until


def after(range: Range) -> date:
    return range.last + timedelta(days=1)


def starts(range: Range) -> Iterator[date]:
    start = range.first.replace(day=1) if range.span is Period.MONTH else range.first
    while start <= range.last:
        yield start
        start = range.span.after(start)


def chosen(only: Only) -> dict[str, Any]:
    return {f.name: value for f in fields(only) if (value := getattr(only, f.name)) is not None}


SUMS: Final = {f"sum_{name}": Sum(name) for name in SUMMED_FIELDS}


def figures_in(found: Any) -> Figures:
    figures = {name: found[f"sum_{name}"] for name in SUMMED_FIELDS}
    return Figures(**{name: figure for name, figure in figures.items() if figure is not None})


def ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (-row.figures.cost, -row.figures.tokens, row.name.casefold()))


def present_names(by: By, pks: Iterable[int]) -> dict[int, str]:
    """What they are called today, those that are still there."""
    models: dict[By, Any] = {By.PERSON: User, By.MODEL: ChatModel, By.GROUP: Group, By.KEY: ApiKey}
    return {pk: str(each) for pk, each in models[by].objects.in_bulk(list(pks)).items()}
