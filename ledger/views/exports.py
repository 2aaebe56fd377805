"""The tables and calls of the usage pages as CSV, streamed."""

from collections.abc import AsyncIterator

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.models import AuthenticatedRequest
from ledger.reports import exports, usage
from ledger.reports.url_parameters import CALL, UsageQuery, parse_query
from ledger.views.access import readers_only
from ledger.views.usage import list_rows


@require_safe
def own_table(request: AuthenticatedRequest) -> HttpResponseBase:
    return download_table(parse_query(request.GET, person=request.user.pk))


@require_safe
def own_calls(request: AuthenticatedRequest) -> HttpResponseBase:
    return download_calls(parse_query(request.GET, person=request.user.pk))


@readers_only
@require_safe
def all_table(request: AuthenticatedRequest) -> HttpResponseBase:
    return download_table(parse_query(request.GET))


@readers_only
@require_safe
def all_calls(request: AuthenticatedRequest) -> HttpResponseBase:
    return download_calls(parse_query(request.GET))


def download_table(query: UsageQuery) -> HttpResponseBase:
    if query.by == CALL:
        return download_calls(query)
    rows = list_rows(query, usage.list_buckets(query.range, query.only))
    return download(exports.stream_table(rows), f"usage-by-{query.by}", query)


def download_calls(query: UsageQuery) -> HttpResponseBase:
    return download(exports.stream_calls(usage.find_entries(query.range, query.only)), "calls", query)


def download(lines: AsyncIterator[str], name: str, query: UsageQuery) -> HttpResponseBase:
    file = f"{name}-{query.range.first.isoformat()}-{query.range.last.isoformat()}.csv"
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"', "Cache-Control": "no-store"},
    )
