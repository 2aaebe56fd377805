"""Parses the URL parameters of a usage page. Ignores invalid values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from django.http import QueryDict
from django.utils.timezone import now

from ledger.models import CallSource, Period
from ledger.reports.usage import DateRange, Dimension, UsageFilter

DAY, CALL = "day", "call"
ALL_DIMENSIONS: Final = (
    *(Dimension.MODEL, Dimension.PERSON, Dimension.GROUP, Dimension.KEY, Dimension.SOURCE),
    *(DAY, CALL),
)
OWN_DIMENSIONS: Final = (Dimension.MODEL, Dimension.KEY, Dimension.SOURCE, DAY, CALL)
"""The groupings of a person's own usage. The others would show other people."""


class Measure(StrEnum):
    COST = "cost"
    TOKENS = "tokens"
    CALLS = "calls"


def _last_month(today: date) -> DateRange:
    last = today.replace(day=1) - timedelta(days=1)
    return DateRange(last.replace(day=1), last)


def _last_twelve_months(today: date) -> DateRange:
    month = today.year * 12 + today.month - 12
    return DateRange(date(month // 12, month % 12 + 1, 1), today)


STRETCHES: Final[dict[str, tuple[str, Callable[[date], DateRange]]]] = {
    "7-days": ("7 days", lambda today: DateRange(today - timedelta(days=6), today)),
    "30-days": ("30 days", lambda today: DateRange(today - timedelta(days=29), today)),
    "this-month": ("This month", lambda today: DateRange(today.replace(day=1), today)),
    "last-month": ("Last month", _last_month),
    "12-months": ("12 months", _last_twelve_months),
}
DEFAULT_STRETCH: Final = "30-days"
YEARS: Final = range(2000, 3000)


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """`on` is the single day or month that is shown, in ISO 8601, or "" for the whole stretch.

    `before` is the key of the last call on the previous page of calls.
    """

    parameters: QueryDict
    dimensions: Sequence[str]
    stretch: str
    on: str
    range: DateRange
    only: UsageFilter
    by: str
    measure: Measure | None
    is_table: bool
    before: int | None

    def url(self, **changes: object) -> str:
        """The URL of this page with changed parameters; None removes one."""
        parameters = self.parameters.copy()
        for name in ("page", "before", *(name for name, value in changes.items() if value is None)):
            parameters.pop(name, None)
        for name, value in changes.items():
            if value is not None:
                parameters[name] = str(value)
        return f"?{parameters.urlencode()}"

    def drill_down_url(self, subject: object) -> str:
        """The URL that shows one row alone, grouped by the first dimension that is not filtered yet."""
        filtered = {*self.only.active, self.by}
        by = next(name for name in self.dimensions if name not in filtered)
        return self.url(**{self.by: subject, "by": by})


def parse_query(parameters: QueryDict, person: int | None = None) -> UsageQuery:
    """Covers the usage of all people or, with `person`, only theirs, whatever the parameters say."""
    dimensions = ALL_DIMENSIONS if person is None else OWN_DIMENSIONS
    stretch = parameters.get("period", "")
    stretch = stretch if stretch in STRETCHES else DEFAULT_STRETCH
    _, range_until = STRETCHES[stretch]
    on = parameters.get("on", "")
    by, measure = parameters.get("by", ""), parameters.get("measure", "")
    return UsageQuery(
        parameters=parameters,
        dimensions=dimensions,
        stretch=stretch,
        on=on if _parse_day_or_month(on) else "",
        range=_parse_day_or_month(on) or range_until(Period.DAY.start(now())),
        only=_parse_filter(parameters, person, dimensions),
        by=by if by in dimensions else dimensions[0],
        measure=Measure(measure) if measure in Measure else None,
        is_table=parameters.get("as") == "table",
        before=_parse_number(parameters.get("before", "")),
    )


def _parse_filter(parameters: QueryDict, person: int | None, dimensions: Sequence[str]) -> UsageFilter:
    names = (Dimension.PERSON, Dimension.MODEL, Dimension.GROUP, Dimension.KEY)
    asked = {name: _parse_number(parameters.get(name, "")) for name in names}
    source = parameters.get("source", "")
    return UsageFilter(
        person=asked[Dimension.PERSON] if person is None else person,
        model=asked[Dimension.MODEL],
        group=asked[Dimension.GROUP] if Dimension.GROUP in dimensions else None,
        key=asked[Dimension.KEY],
        source=CallSource(source) if source in CallSource else None,
    )


def _parse_day_or_month(text: str) -> DateRange | None:
    try:
        if len(text) == len("2026-11"):
            first = date.fromisoformat(f"{text}-01")
            last = Period.MONTH.after(first) - timedelta(days=1)
        else:
            first = last = date.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return DateRange(first, last) if first.year in YEARS else None


def _parse_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
