"""What was used: by oneself, and for administrators by everybody."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import AuthenticatedRequest
from ledger.models import CallSource
from ledger.reports import usage
from ledger.reports.budget_meters import of_person
from ledger.reports.charts import chart, name_of, on_of, total
from ledger.reports.comparisons import before, is_known, totals_shown
from ledger.reports.lookups import CALL, DAY, STRETCHES, Lookup, Measure, lookup
from ledger.reports.usage import Bucket, By, Figures, Only, Row
from ledger.views.access import readers_only

PER_PAGE: Final = 100
NAMES: Final = {
    By.MODEL: "Model",
    By.PERSON: "Person",
    By.GROUP: "Group",
    By.KEY: "API key",
    By.SOURCE: "Source",
    DAY: "Day",
    CALL: "Call",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table; `share` is what it has of the whole, `drawn` of the largest, both in percent."""

    name: str
    figures: Figures
    address: str
    share: float
    drawn: float
    detail: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that the page is narrowed to; its address is the page without."""

    label: str
    name: str
    address: str


@require_safe
def own(request: AuthenticatedRequest) -> HttpResponse:
    look = lookup(request.GET, person=request.user.pk)
    return render(request, "ledger/my_usage.html", page_of(look) | {"limits": of_person(request.user)})


@readers_only
@require_safe
def everybodys(request: AuthenticatedRequest) -> HttpResponse:
    return render(request, "ledger/usage.html", page_of(lookup(request.GET)))


def page_of(look: Lookup) -> dict[str, Any]:
    buckets = usage.buckets(look.range, look.only)
    totals = sum((bucket.figures for bucket in buckets), Figures())
    measure = look.measure or (Measure.COST if totals.cost else Measure.TOKENS)
    return {
        "look": look,
        "totals": totals,
        "totals_shown": totals_shown(totals, earlier(look)),
        "compared_to": compared_to(look),
        "measure": measure,
        "chart": chart(buckets, measure, look) if len(buckets) > 1 else None,
        "stretches": [(label, look.address(period=slug, on=None), slug) for slug, (label, _) in STRETCHES.items()],
        "measures": [(each.value.capitalize(), look.address(measure=each), each) for each in Measure],
        "dimensions": [(NAMES[by], look.address(by=by), by) for by in look.dimensions],
        "dimension": NAMES[look.by],
        "chips": chips(look),
        "csv_query": look.address().removeprefix("?"),
        **(calls_of(look) if look.by == CALL else lines_of(look, measure, totals, buckets)),
    }


def earlier(look: Lookup) -> Figures:
    range = before(look.range)
    return usage.totals(range, look.only) if is_known(range) else Figures()


def compared_to(look: Lookup) -> str:
    """The time before, for "than in …"."""
    days = look.range.days
    return "on the day before" if days == 1 else f"in the {days} days before"


def lines_of(look: Lookup, measure: Measure, totals: Figures, buckets: list[Bucket]) -> dict[str, Any]:
    rows = rows_of(look, buckets)
    if measure is not Measure.COST and look.by != DAY:
        rows.sort(key=lambda row: -total(row.figures, measure))
    whole = total(totals, measure)
    largest = max((total(row.figures, measure) for row in rows), default=whole)
    page: Any = Paginator(rows, PER_PAGE).get_page(look.query.get("page"))
    page.object_list = [line_of(row, look, measure, whole, largest) for row in page.object_list]
    return {"page": page, "has_unpriced": any(row.figures.tokens and not row.figures.cost for row in rows)}


def line_of(row: Row, look: Lookup, measure: Measure, whole: Decimal, largest: Decimal) -> Line:
    share = total(row.figures, measure)
    return Line(
        name=row.name,
        figures=row.figures,
        address=address_of(row, look),
        share=percent(share, whole),
        drawn=percent(share, largest),
        detail=row.detail,
        is_gone=row.is_gone,
    )


def rows_of(look: Lookup, buckets: list[Bucket]) -> list[Row]:
    if look.by != DAY:
        return usage.rows(By(look.by), look.range, look.only)
    used = [bucket for bucket in reversed(buckets) if bucket.figures.calls]
    return [Row(on_of(bucket, look), name_of(bucket, look), bucket.figures) for bucket in used]


def address_of(row: Row, look: Lookup) -> str:
    if look.by == DAY:
        return look.address(on=row.subject, by=look.dimensions[0])
    return look.onward(row.subject)


def percent(part: Decimal, whole: Decimal) -> float:
    return round(float(100 * part / whole), 1) if whole else 0.0


def calls_of(look: Lookup) -> dict[str, Any]:
    """The calls themselves, the latest first; they are never counted, since there may be millions."""
    calls = usage.entries(look.range, look.only).order_by("-pk")
    if look.before is not None:
        calls = calls.filter(pk__lt=look.before)
    found = list(calls[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    older = f"{look.address()}&before={shown[-1].pk}" if len(found) > PER_PAGE else ""
    return {"calls": shown, "older": older, "newest": look.address() if look.before is not None else ""}


def chips(look: Lookup) -> list[Chip]:
    found = [Chip("Only", dated(look), look.address(on=None))] if look.on else []
    for by in (each for each in By if each in look.dimensions):
        if (subject := getattr(look.only, by)) is not None:
            found.append(Chip(NAMES[by], name_of_subject(by, subject, look), look.address(**{by: None})))
    return found


def dated(look: Lookup) -> str:
    first: date = look.range.first
    return f"{first:%B %Y}" if look.range.days > 1 else f"{first.day} {first:%B %Y}"


def name_of_subject(by: By, subject: int | CallSource, look: Lookup) -> str:
    """As the ledger knows it for what is looked at; nobody learns a name from an address alone."""
    if isinstance(subject, CallSource):
        return subject.label
    narrowed: dict[str, Any] = {by.value: subject}
    only = replace(Only(person=look.only.person), **narrowed)
    found = usage.rows(by, look.range, only)
    return found[0].name if found else "nothing in this time"
