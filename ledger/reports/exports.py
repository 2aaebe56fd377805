"""Usage as CSV, line by line, for spreadsheets."""

import csv
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.utils.timezone import localtime

from ledger.models import Entry
from ledger.reports.usage import Row

AT_ONCE: Final = 1000
"""Calls that are read together: a whole year of them must not be in memory, nor hold the database."""
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

TABLE: Final[dict[str, Callable[[Row], Any]]] = {
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


class Echo:
    """A file whose `write` gives back what it was given."""

    def write(self, line: str) -> str:
        return line


async def table(rows: Iterable[Row]) -> AsyncIterator[str]:
    for line in lines(TABLE, rows):
        yield line


async def calls(entries: "QuerySet[Entry]") -> AsyncIterator[str]:
    """The latest first, so many at a time: a slow reader keeps nothing open."""
    yield line_of(CALLS)
    wanted = entries.order_by("-pk")
    while True:
        found = [call async for call in wanted[:AT_ONCE]]
        yield "".join(line_of(value_of(call) for value_of in CALLS.values()) for call in found)
        if len(found) < AT_ONCE:
            return
        wanted = wanted.filter(pk__lt=found[-1].pk)


def lines(columns: dict[str, Callable[[Any], Any]], rows: Iterable[Any]) -> Iterator[str]:
    yield line_of(columns)
    for row in rows:
        yield line_of(value_of(row) for value_of in columns.values())


def line_of(values: Iterable[Any]) -> str:
    line: str = csv.writer(Echo()).writerow([cell(value) for value in values])
    return line


def cell(value: Any) -> str:
    """What a spreadsheet would take for a formula is made a text: names are other people's words."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text
