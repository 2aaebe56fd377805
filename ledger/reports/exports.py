"""Usage as CSV for spreadsheets, line by line."""

import csv
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.utils.timezone import localtime

from ledger.models import Entry
from ledger.reports.usage import UsageRow

BATCH: Final = 1000
"""The calls in one read. Reading a whole year at once could fill the memory and keep the database busy."""
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

TABLE: Final[dict[str, Callable[[UsageRow], Any]]] = {
    "name": lambda row: row.name,
    "detail": lambda row: row.detail,
    "calls": lambda row: row.figures.calls,
    "failed calls": lambda row: row.figures.failed_calls,
    "estimated calls": lambda row: row.figures.estimated_calls,
    "input tokens": lambda row: row.figures.input_tokens,
    "output tokens": lambda row: row.figures.output_tokens,
    "thinking tokens": lambda row: row.figures.thinking_tokens,
    "cache read tokens": lambda row: row.figures.cache_read_tokens,
    "cache write tokens": lambda row: row.figures.cache_write_tokens,
    "cost": lambda row: row.figures.cost,
    "currency": lambda row: settings.CURRENCY,
}
CALLS: Final[dict[str, Callable[[Entry], Any]]] = {
    "started": lambda call: localtime(call.started_at).isoformat(timespec="seconds"),
    "person": lambda call: call.person_name,
    "group": lambda call: call.group_name,
    "key": lambda call: call.key_name,
    "source": lambda call: call.source,
    "model": lambda call: call.model_name,
    "provider": lambda call: call.provider_name,
    "outcome": lambda call: call.outcome,
    "error": lambda call: call.error_kind,
    "estimated": lambda call: "yes" if call.is_estimate else "no",
    "input tokens": lambda call: call.input_tokens,
    "output tokens": lambda call: call.output_tokens,
    "thinking tokens": lambda call: call.thinking_tokens,
    "cache read tokens": lambda call: call.cache_read_tokens,
    "cache write tokens": lambda call: call.cache_write_tokens,
    "cost": lambda call: call.cost,
    "currency": lambda call: settings.CURRENCY,
    "seconds to first token": lambda call: call.seconds_to_first,
    "seconds": lambda call: call.seconds,
    "request": lambda call: call.request_id,
    "upstream request": lambda call: call.upstream_id,
}


class _Echo:
    """A file whose `write` returns its argument."""

    def write(self, line: str) -> str:
        return line


async def stream_table(rows: Iterable[UsageRow]) -> AsyncIterator[str]:
    for line in format_lines(TABLE, rows):
        yield line


async def stream_calls(entries: "QuerySet[Entry]") -> AsyncIterator[str]:
    """Newest first, in batches: a slow reader keeps no query open."""
    yield format_line(CALLS)
    wanted = entries.order_by("-pk")
    while True:
        found = [call async for call in wanted[:BATCH]]
        yield "".join(format_line(value_of(call) for value_of in CALLS.values()) for call in found)
        if len(found) < BATCH:
            return
        wanted = wanted.filter(pk__lt=found[-1].pk)


def format_lines(columns: dict[str, Callable[[Any], Any]], rows: Iterable[Any]) -> Iterator[str]:
    yield format_line(columns)
    for row in rows:
        yield format_line(value_of(row) for value_of in columns.values())


def format_line(values: Iterable[Any]) -> str:
    line: str = csv.writer(_Echo()).writerow([format_cell(value) for value in values])
    return line


def format_cell(value: Any) -> str:
    """Quotes what a spreadsheet would run as a formula: other people choose the names."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text
