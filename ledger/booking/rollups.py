"""Adds settled calls to the usage sums of their day and of their month."""

from typing import Final

from ledger.booking import statements
from ledger.models import Entry, Outcome, Period
from ledger.models.usage_sum import NAME_FIELDS
from upstreams.models import USAGE_FIELDS

FAILURES: Final = (Outcome.BROKEN, Outcome.FAILED, Outcome.LOST)


def add_entry(entry: Entry) -> None:
    """Call it in the transaction that settles the entry."""
    figures = {
        "person_pk": entry.person_id or 0,
        "key_pk": entry.key_id or 0,
        "group_pk": entry.group_id or 0,
        "model_pk": entry.chat_model_id or 0,
        "calls": 1,
        "estimated_calls": int(entry.is_estimate),
        "failed_calls": int(entry.outcome in FAILURES),
        "cost": entry.cost or 0,
        **{name: getattr(entry, name) for name in ("source", *NAME_FIELDS)},
        **{name: getattr(entry, name) or 0 for name in USAGE_FIELDS},
    }
    statements.upsert_usage_sums(figures, {period: period.start(entry.started_at) for period in Period})
