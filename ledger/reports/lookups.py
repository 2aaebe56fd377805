"""What a page of usage looks at, as its address says it. What cannot be read there is left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from django.http import QueryDict
from django.utils.timezone import now

from ledger.models import CallSource, Period
from ledger.reports.usage import By, Only, Range

DAY, CALL = "day", "call"
EVERYBODYS: Final = (By.MODEL, By.PERSON, By.GROUP, By.KEY, By.SOURCE, DAY, CALL)
ONES_OWN: Final = (By.MODEL, By.KEY, By.SOURCE, DAY, CALL)
"""What a person's own usage can be told by; the others would tell of other people."""


class Measure(StrEnum):
    COST = "cost"
    TOKENS = "tokens"
    CALLS = "calls"


def _month_before(today: date) -> Range:
    last = today.replace(day=1) - timedelta(days=1)
    return Range(last.replace(day=1), last)


def _twelve_months(today: date) -> Range:
    month = today.year * 12 + today.month - 12
    return Range(date(month // 12, month % 12 + 1, 1), today)


STRETCHES: Final[dict[str, tuple[str, Callable[[date], Range]]]] = {
    "7-days": ("7 days", lambda today: Range(today - timedelta(days=6), today)),
    "30-days": ("30 days", lambda today: Range(today - timedelta(days=29), today)),
    "this-month": ("This month", lambda today: Range(today.replace(day=1), today)),
    "last-month": ("Last month", _month_before),
    "12-months": ("12 months", _twelve_months),
}
YEARS: Final = range(2000, 3000)
USUAL: Final = "30-days"


@dataclass(frozen=True, slots=True)
class Lookup:
    """`on` is the one day or month within the stretch that is looked at, as ISO 8601 has it; "": all of them."""

    query: QueryDict
    dimensions: Sequence[str]
    stretch: str
    on: str
    range: Range
    only: Only
    by: str
    measure: Measure | None
    is_table: bool
    before: int | None

    def address(self, **changes: object) -> str:
        """The address of another look, from this one; None takes a part of it away."""
        query = self.query.copy()
        for name in ("page", "before", *(name for name, value in changes.items() if value is None)):
            query.pop(name, None)
        for name, value in changes.items():
            if value is not None:
                query[name] = str(value)
        return f"?{query.urlencode()}"

    def onward(self, subject: object) -> str:
        """The address that looks at one row alone, told by what is not fixed yet."""
        fixed = {name for name in By if getattr(self.only, name) is not None} | {self.by}
        by = next(name for name in self.dimensions if name not in fixed)
        return self.address(**{self.by: subject, "by": by})


def lookup(query: QueryDict, person: int | None = None) -> Lookup:
    """Of everybody's usage; with a person, of theirs alone, whatever the address says."""
    dimensions = EVERYBODYS if person is None else ONES_OWN
    stretch = query.get("period", "")
    stretch = stretch if stretch in STRETCHES else USUAL
    _, range_from = STRETCHES[stretch]
    on = query.get("on", "")
    by, measure = query.get("by", ""), query.get("measure", "")
    return Lookup(
        query=query,
        dimensions=dimensions,
        stretch=stretch,
        on=on if _one(on) else "",
        range=_one(on) or range_from(Period.DAY.start(now())),
        only=_only(query, person, dimensions),
        by=by if by in dimensions else dimensions[0],
        measure=Measure(measure) if measure in Measure else None,
        is_table=query.get("as") == "table",
        before=_number(query.get("before", "")),
    )


def _only(query: QueryDict, person: int | None, dimensions: Sequence[str]) -> Only:
    asked = {name: _number(query.get(name, "")) for name in (By.PERSON, By.MODEL, By.GROUP, By.KEY)}
    source = query.get("source", "")
    return Only(
        person=asked[By.PERSON] if person is None else person,
        model=asked[By.MODEL],
        group=asked[By.GROUP] if By.GROUP in dimensions else None,
        key=asked[By.KEY],
        source=CallSource(source) if source in CallSource else None,
    )


def _one(on: str) -> Range | None:
    """A day, or a month."""
    try:
        if len(on) == len("2026-11"):
            first = date.fromisoformat(f"{on}-01")
            last = Period.MONTH.after(first) - timedelta(days=1)
        else:
            first = last = date.fromisoformat(on)
    except (ValueError, OverflowError):
        return None
    return Range(first, last) if first.year in YEARS else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
