"""Corrects figures below zero, and reservations that no open call has, before constraints forbid the former."""

from datetime import datetime, timedelta

from django.db import migrations
from django.db.models import Count, F, Q, Sum
from django.utils.timezone import get_default_timezone

COUNTED = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
SUMMED = (*COUNTED, "thinking_tokens", "cost")
RESERVED = ("prompt_estimate", "reserved_tokens", "reserved_cost")


def correct(apps, schema_editor):
    sums = set(find_wrong_sums(apps))
    Entry = apps.get_model("ledger", "Entry")
    for name in (*SUMMED, *RESERVED):
        Entry.objects.filter(**{f"{name}__lt": 0}).update(**{name: 0})
    for row in apps.get_model("ledger", "UsageSum").objects.filter(pk__in=sums):
        correct_sum(apps, row)
    starts = set(apps.get_model("ledger", "UsageSum").objects.filter(pk__in=sums).values_list("start", flat=True))
    Spending = apps.get_model("ledger", "Spending")
    current = Q(revision=F("budget__revision"))
    doubtful = Spending.objects.exclude(reserved=0) | Spending.objects.filter(Q(spent__lt=0) | Q(start__in=starts))
    for row in doubtful.filter(current).select_related("budget"):
        correct_spending(apps, row)
    # Rows of earlier revisions are never read again.
    Spending.objects.filter(spent__lt=0).update(spent=0)
    Spending.objects.filter(reserved__lt=0).update(reserved=0)


def find_wrong_sums(apps):
    """The sums below zero, and those that contain a call with a figure below zero."""
    UsageSum = apps.get_model("ledger", "UsageSum")
    below = any_below_zero(*SUMMED, "calls", "estimated_calls", "failed_calls")
    yield from UsageSum.objects.filter(below).values_list("pk", flat=True)
    for entry in apps.get_model("ledger", "Entry").objects.filter(any_below_zero(*SUMMED)).exclude(outcome="open"):
        day = entry.started_at.astimezone(get_default_timezone()).date()
        found = UsageSum.objects.filter(
            Q(span="day", start=day) | Q(span="month", start=day.replace(day=1)),
            person_pk=entry.person_id or 0,
            key_pk=entry.key_id or 0,
            group_pk=entry.group_id or 0,
            model_pk=entry.chat_model_id or 0,
            source=entry.source,
        )
        yield from found.values_list("pk", flat=True)


def any_below_zero(*names):
    condition = Q()
    for name in names:
        condition |= Q(**{f"{name}__lt": 0})
    return condition


def correct_sum(apps, row):
    """Sums up the calls again. If some cannot be found, because a person or a model is gone, it keeps what is known."""
    calls = apps.get_model("ledger", "Entry").objects.exclude(outcome="open").filter(
        **in_period(row.span, row.start),
        person=row.person_pk or None,
        key=row.key_pk or None,
        group=row.group_pk or None,
        chat_model=row.model_pk or None,
        source=row.source,
    )
    failed = Q(outcome__in=("broken", "failed", "lost"))
    found = calls.aggregate(
        number=Count("pk"),
        estimated=Count("pk", filter=Q(is_estimate=True)),
        failures=Count("pk", filter=failed),
        **{f"sum_{name}": Sum(name) for name in SUMMED},
    )
    if found["number"] >= row.calls:
        row.calls, row.estimated_calls, row.failed_calls = found["number"], found["estimated"], found["failures"]
        for name in SUMMED:
            setattr(row, name, found[f"sum_{name}"] or 0)
    for name in (*SUMMED, "calls", "estimated_calls", "failed_calls"):
        setattr(row, name, max(0, getattr(row, name)))
    row.save()


def correct_spending(apps, row):
    """Sums up the ledger again, as the first call of a period does."""
    budget = row.budget
    settled = apps.get_model("ledger", "UsageSum").objects.filter(span=budget.period, start=row.start)
    running = apps.get_model("ledger", "Entry").objects.filter(outcome="open", **in_period(budget.period, row.start))
    if budget.scope != "site":
        settled = settled.filter(**{f"{budget.scope}_pk": row.subject})
        running = running.filter(**{f"{budget.scope}_id": row.subject})
    if budget.unit == "money":
        row.spent = to_units(settled.aggregate(sum=Sum("cost"))["sum"])
        row.reserved = to_units(running.aggregate(sum=Sum("reserved_cost"))["sum"])
    else:
        counts = settled.aggregate(**{name: Sum(name) for name in COUNTED})
        row.spent = sum(count or 0 for count in counts.values())
        row.reserved = running.aggregate(sum=Sum("reserved_tokens"))["sum"] or 0
    row.save()


def in_period(period, start):
    end = start + timedelta(days=1) if period == "day" else (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    first, last = (datetime(day.year, day.month, day.day, tzinfo=get_default_timezone()) for day in (start, end))
    return {"started_at__gte": first, "started_at__lt": last}


def to_units(amount):
    return int(((amount or 0) * 100_000_000))


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0003_limit_text"),
    ]

    operations = [
        migrations.RunPython(correct, migrations.RunPython.noop),
    ]
