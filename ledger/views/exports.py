"""The same as the pages of usage show, for spreadsheets; streamed."""

from collections.abc import AsyncIterator

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.models import AuthenticatedRequest
from ledger.reports import exports, usage
from ledger.reports.lookups import CALL, Lookup, lookup
from ledger.views.access import readers_only
from ledger.views.usage import rows_of


@require_safe
def own_table(request: AuthenticatedRequest) -> HttpResponseBase:
    return table(lookup(request.GET, person=request.user.pk))


@require_safe
def own_calls(request: AuthenticatedRequest) -> HttpResponseBase:
    return calls(lookup(request.GET, person=request.user.pk))


@readers_only
@require_safe
def everybodys_table(request: AuthenticatedRequest) -> HttpResponseBase:
    return table(lookup(request.GET))


@readers_only
@require_safe
def everybodys_calls(request: AuthenticatedRequest) -> HttpResponseBase:
    return calls(lookup(request.GET))


def table(look: Lookup) -> HttpResponseBase:
    if look.by == CALL:
        return calls(look)
    rows = rows_of(look, usage.buckets(look.range, look.only))
    return download(exports.table(rows), f"usage-by-{look.by}", look)


def calls(look: Lookup) -> HttpResponseBase:
    return download(exports.calls(usage.entries(look.range, look.only)), "calls", look)


def download(lines: AsyncIterator[str], name: str, look: Lookup) -> HttpResponseBase:
    file = f"{name}-{look.range.first.isoformat()}-{look.range.last.isoformat()}.csv"
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"},
    )
