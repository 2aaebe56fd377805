"""Counts settled calls for Prometheus."""

from typing import Final

from prometheus_client import Counter, Histogram

from ledger.models import Entry

CALLS: Final = Counter("chatsite_calls", "Settled calls of models.", ["source", "outcome"])
TOKENS: Final = Counter("chatsite_tokens", "Tokens of settled calls, as booked.", ["source", "kind"])
FIRST_TOKEN: Final = Histogram(
    "chatsite_first_token_seconds",
    "Seconds from the beginning of a call to its first content.",
    ["source"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120),
)
KINDS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
}


def count_call(entry: Entry) -> None:
    CALLS.labels(str(entry.source), str(entry.outcome)).inc()
    for kind, field in KINDS.items():
        TOKENS.labels(str(entry.source), kind).inc(getattr(entry, field) or 0)
    if entry.seconds_to_first is not None:
        FIRST_TOKEN.labels(str(entry.source)).observe(entry.seconds_to_first)
