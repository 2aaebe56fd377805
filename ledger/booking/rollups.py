"""Adds a settled call to the sums of its day and of its month."""

from ledger.booking import statements
from ledger.models import Entry, Outcome, Period
from ledger.models.money import units
from upstreams.models import USAGE_FIELDS

WENT_WRONG = (Outcome.BROKEN, Outcome.FAILED, Outcome.LOST)


def add(entry: Entry) -> None:
    """In the transaction that settles the entry."""
    values = {
        **{name: getattr(entry, name) for name in (*statements.NAMES, "source")},
        "person_pk": entry.person_id or 0,
        "key_pk": entry.key_id or 0,
        "group_pk": entry.group_id or 0,
        "model_pk": entry.chat_model_id or 0,
        "calls": 1,
        "estimated_calls": int(entry.is_estimate),
        "failed_calls": int(entry.outcome in WENT_WRONG),
        "cost": units(entry.cost) if entry.cost else 0,
        **{name: getattr(entry, name) or 0 for name in USAGE_FIELDS},
    }
    for span in Period:
        statements.add(values | {"span": span.value, "start": statements.dated(span.start(entry.started_at))})
