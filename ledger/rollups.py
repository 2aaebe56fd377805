"""Adds a settled call to the sums of its day and of its month."""

from typing import Any

from django.db.models import F

from ledger.models import Entry, Outcome, Period, UsageSum
from ledger.models.entry import USAGE_FIELDS
from ledger.models.money import units

NAMES = ("person_name", "key_name", "group_name", "model_name", "provider_name")
WENT_WRONG = (Outcome.BROKEN, Outcome.FAILED, Outcome.LOST)


def add(entry: Entry) -> None:
    """In the transaction that settles the entry."""
    kind: dict[str, Any] = {
        "person_pk": entry.person_id or 0,
        "key_pk": entry.key_id or 0,
        "group_pk": entry.group_id or 0,
        "model_pk": entry.chat_model_id or 0,
        "source": entry.source,
    }
    more = {
        "calls": 1,
        "estimated_calls": int(entry.is_estimate),
        "failed_calls": int(entry.outcome in WENT_WRONG),
        "cost": units(entry.cost) if entry.cost else 0,
        **{name: getattr(entry, name) or 0 for name in USAGE_FIELDS},
    }
    names = {name: getattr(entry, name) for name in NAMES}
    for span in Period:
        place = {"span": span, "start": span.start(entry.started_at), **kind}
        grown: dict[str, Any] = {name: F(name) + figure for name, figure in more.items() if figure} | names
        if not UsageSum.objects.filter(**place).update(**grown):
            # Somebody else may just be making the same one; whoever is first, both are added.
            UsageSum.objects.bulk_create([UsageSum(**place)], ignore_conflicts=True)
            UsageSum.objects.filter(**place).update(**grown)
