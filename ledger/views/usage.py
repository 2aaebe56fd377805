"""The usage pages: a person's own usage, and for administrators that of all people."""

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
from ledger.reports.budget_meters import list_meters
from ledger.reports.charts import draw_chart, format_date, measure_total, name_bucket
from ledger.reports.comparisons import compare_totals, is_covered, range_before
from ledger.reports.url_parameters import CALL, DAY, STRETCHES, Measure, UsageQuery, parse_query
from ledger.reports.usage import Bucket, Dimension, Figures, UsageFilter, UsageRow
from ledger.views.access import readers_only

PER_PAGE: Final = 100
NAMES: Final = {
    Dimension.MODEL: "Model",
    Dimension.PERSON: "Person",
    Dimension.GROUP: "Group",
    Dimension.KEY: "API key",
    Dimension.SOURCE: "Source",
    DAY: "Day",
    CALL: "Call",
}


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of the table. `share` is its percentage of the whole, `filled` its percentage of the largest row."""

    name: str
    figures: Figures
    address: str
    share: float
    filled: float
    detail: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class FilterChip:
    """An active filter; `address` is the page without it."""

    label: str
    name: str
    address: str


@require_safe
def own(request: AuthenticatedRequest) -> HttpResponse:
    query = parse_query(request.GET, person=request.user.pk)
    return render(request, "ledger/my_usage.html", page_context(query) | {"meters": list_meters(request.user)})


@readers_only
@require_safe
def all_people(request: AuthenticatedRequest) -> HttpResponse:
    return render(request, "ledger/usage.html", page_context(parse_query(request.GET)))


def page_context(query: UsageQuery) -> dict[str, Any]:
    buckets = usage.list_buckets(query.range, query.only)
    totals = sum((bucket.figures for bucket in buckets), Figures())
    measure = query.measure or (Measure.COST if totals.cost else Measure.TOKENS)
    return {
        "query": query,
        "totals": totals,
        "comparisons": compare_totals(totals, get_earlier(query)),
        "earlier": name_earlier(query),
        "measure": measure,
        "chart": draw_chart(buckets, measure, query) if len(buckets) > 1 else None,
        "stretches": [(label, query.url(period=slug, on=None), slug) for slug, (label, _) in STRETCHES.items()],
        "measures": [(each.value.capitalize(), query.url(measure=each), each) for each in Measure],
        "dimensions": [(NAMES[by], query.url(by=by), by) for by in query.dimensions],
        "dimension": NAMES[query.by],
        "chips": list_chips(query),
        "csv_query": query.url().removeprefix("?"),
        **(calls_context(query) if query.by == CALL else table_context(query, measure, totals, buckets)),
    }


def get_earlier(query: UsageQuery) -> Figures:
    dates = range_before(query.range)
    return usage.get_totals(dates, query.only) if is_covered(dates) else Figures()


def name_earlier(query: UsageQuery) -> str:
    """The range that totals are compared with, as the end of a sentence."""
    days = query.range.days
    return "on the day before" if days == 1 else f"in the {days} days before"


def table_context(query: UsageQuery, measure: Measure, totals: Figures, buckets: list[Bucket]) -> dict[str, Any]:
    rows = list_rows(query, buckets)
    if measure is not Measure.COST and query.by != DAY:
        rows.sort(key=lambda row: -measure_total(row.figures, measure))
    whole = measure_total(totals, measure)
    largest = max((measure_total(row.figures, measure) for row in rows), default=whole)
    page: Any = Paginator(rows, PER_PAGE).get_page(query.parameters.get("page"))
    page.object_list = [build_row(row, query, measure, whole, largest) for row in page.object_list]
    return {"page": page, "has_unpriced": any(row.figures.tokens and not row.figures.cost for row in rows)}


def build_row(row: UsageRow, query: UsageQuery, measure: Measure, whole: Decimal, largest: Decimal) -> TableRow:
    share = measure_total(row.figures, measure)
    return TableRow(
        name=row.name,
        figures=row.figures,
        address=drill_down_url(row, query),
        share=to_percent(share, whole),
        filled=to_percent(share, largest),
        detail=row.detail,
        is_gone=row.is_gone,
    )


def list_rows(query: UsageQuery, buckets: list[Bucket]) -> list[UsageRow]:
    if query.by != DAY:
        return usage.list_rows(Dimension(query.by), query.range, query.only)
    used = [bucket for bucket in reversed(buckets) if bucket.figures.calls]
    return [UsageRow(format_date(bucket, query), name_bucket(bucket, query), bucket.figures) for bucket in used]


def drill_down_url(row: UsageRow, query: UsageQuery) -> str:
    if query.by == DAY:
        return query.url(on=row.subject, by=query.dimensions[0])
    return query.drill_down_url(row.subject)


def to_percent(part: Decimal, whole: Decimal) -> float:
    return round(float(100 * part / whole), 1) if whole else 0.0


def calls_context(query: UsageQuery) -> dict[str, Any]:
    """A page of calls, newest first. Nothing counts them all: there may be millions."""
    calls = usage.find_entries(query.range, query.only).order_by("-pk")
    if query.before is not None:
        calls = calls.filter(pk__lt=query.before)
    found = list(calls[: PER_PAGE + 1])
    shown = found[:PER_PAGE]
    older = f"{query.url()}&before={shown[-1].pk}" if len(found) > PER_PAGE else ""
    return {"calls": shown, "older": older, "newest": query.url() if query.before is not None else ""}


def list_chips(query: UsageQuery) -> list[FilterChip]:
    found = [FilterChip("Only", name_dates(query), query.url(on=None))] if query.on else []
    for by in (each for each in Dimension if each in query.dimensions):
        if (subject := getattr(query.only, by)) is not None:
            found.append(FilterChip(NAMES[by], name_subject(by, subject, query), query.url(**{by: None})))
    return found


def name_dates(query: UsageQuery) -> str:
    first: date = query.range.first
    return f"{first:%B %Y}" if query.range.days > 1 else f"{first.day} {first:%B %Y}"


def name_subject(by: Dimension, subject: int | CallSource, query: UsageQuery) -> str:
    """The name in the usage that is shown, so that nobody learns a name from a URL alone."""
    if isinstance(subject, CallSource):
        return subject.label
    wanted: dict[str, Any] = {by.value: subject}
    only = replace(UsageFilter(person=query.only.person), **wanted)
    found = usage.list_rows(by, query.range, only)
    return found[0].name if found else "no usage in this period"
