"""Measures what booking a call costs, and how long the reports of a year take.

    python -m bench.ledger [--calls 10000] [--days 390] [--people 200] [--models 6]

Fills a temporary database with calls. Then it begins and settles calls one after another, without budgets and with
four that count them, and runs the queries of a usage page over a week, a month and a year. It takes some minutes and
1.7 GB of disk space.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, Final

FIRST: Final = date(2024, 1, 1)
REPEATS: Final = 15
BOOKINGS: Final = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in {"calls": 10_000, "days": 390, "people": 200, "models": 6}.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    plan = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ |= {"DATA_DIR": directory, "DJANGO_SETTINGS_MODULE": "chatsite.settings"}
        os.environ.pop("DATABASE_URL", None)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        print("Booking one call, ms of the clock and of the processor:")
        book("an empty ledger")
        began = time.perf_counter()
        fill(plan)
        size = os.stat(f"{directory}/db.sqlite3").st_size / 1e6
        print(f"{plan.calls * plan.days:,} calls inserted in {time.perf_counter() - began:.0f} s, {size:,.0f} MB")
        book("a full ledger")
        add_budgets()
        book("a full ledger, four budgets")
        report(plan.days)


def book(where: str) -> None:
    """Begins and settles calls, one after another."""
    from accounts.models import User
    from ledger.booking import entries
    from ledger.booking.meter import Meter
    from upstreams.events import ReplyEnded, Usage, UsageReported
    from upstreams.models import ChatModel, Provider

    person, _ = User.objects.get_or_create(username="caller")
    provider, _ = Provider.objects.get_or_create(name="House", protocol="anthropic", base_url="http://127.0.0.1:9")
    model, _ = ChatModel.objects.get_or_create(provider=provider, model_id="m", input_price=3, output_price=15)
    caller = entries.Caller(person, entries.CallSource.CONVERSATION)
    meter = Meter(100)
    meter.take([UsageReported(Usage(100, 50)), ReplyEnded("end_turn")])
    times: dict[str, list[tuple[float, float]]] = {"begin": [], "settle": []}
    for _ in range(BOOKINGS):
        start = time.perf_counter(), time.process_time()
        entry = entries.begin(caller, model, prompt_tokens=100, max_tokens=1000)
        middle = time.perf_counter(), time.process_time()
        entries.settle(entry, meter, entries.Outcome.COMPLETE)
        end = time.perf_counter(), time.process_time()
        times["begin"].append((middle[0] - start[0], middle[1] - start[1]))
        times["settle"].append((end[0] - middle[0], end[1] - middle[1]))
    figures = [
        f"{name} {median(clock for clock, _ in taken) * 1e3:.2f} ({median(cpu for _, cpu in taken) * 1e3:.2f})"
        for name, taken in times.items()
    ]
    print(f"  {where}: {', '.join(figures)}", flush=True)


def add_budgets() -> None:
    from accounts.models import User
    from ledger.models import Budget

    person = User.objects.get(username="caller")
    for terms in (
        {"scope": "site", "period": "month", "unit": "money"},
        {"scope": "site", "period": "day", "unit": "tokens"},
        {"scope": "person", "period": "month", "unit": "money"},
        {"scope": "person", "person": person, "period": "day", "unit": "tokens"},
    ):
        Budget.objects.create(limit=10**9, **terms)


def fill(plan: argparse.Namespace) -> None:
    """Inserts entries as rows, and lets the database compute their sums."""
    from django.db import connection, transaction

    from ledger.models import Entry, UsageSum

    entry, usage = Entry._meta.db_table, UsageSum._meta.db_table
    columns = (
        *("person_name", "key_name", "group_name", "model_name", "provider_name", "source", "request_id"),
        *("upstream_id", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
        *("thinking_tokens", "is_estimate", "cost", "outcome", "error_kind", "started_at", "seconds_to_first"),
        *("seconds", "prompt_estimate", "reserved_tokens", "reserved_cost"),
    )
    marks = ", ".join(["?"] * len(columns))
    connection.ensure_connection()
    with transaction.atomic():
        connection.connection.executemany(f"INSERT INTO {entry} ({', '.join(columns)}) VALUES ({marks})", rows(plan))
        sums = ", ".join(f"SUM({name})" for name in columns[8:13])
        for span, start in (("day", "date(started_at)"), ("month", "date(started_at, 'start of month')")):
            connection.connection.execute(
                f"""INSERT INTO {usage} (span, start, person_pk, key_pk, group_pk, model_pk, source, person_name,
                key_name, group_name, model_name, provider_name, calls, estimated_calls, failed_calls, cost,
                {", ".join(columns[8:13])})
                SELECT '{span}', {start}, CAST(substr(person_name, 8) AS INTEGER),
                CASE key_name WHEN '' THEN 0 ELSE CAST(substr(person_name, 8) AS INTEGER) END,
                CAST(substr(group_name, 7) AS INTEGER), CAST(substr(model_name, 7) AS INTEGER), source, person_name,
                key_name, group_name, model_name, provider_name, COUNT(*), SUM(is_estimate), 0, SUM(cost), {sums}
                FROM {entry} WHERE group_name != '' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"""
            )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def rows(plan: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(1)
    for day in range(plan.days):
        begin = datetime.combine(FIRST + timedelta(days=day), datetime.min.time())
        for number in range(plan.calls):
            # A few people make most of the calls.
            person = int(plan.people * chance.random() ** 2) + 1
            model, read, written = chance.randint(1, plan.models), chance.randint(100, 20_000), chance.randint(10, 2000)
            key, source = ("ci", "gateway") if chance.random() < 0.3 else ("", "conversation")
            moment = begin + timedelta(seconds=86_399 * number / plan.calls)
            yield (
                *(f"Person {person}", key, f"Group {person % 10 + 1}", f"Model {model}", "House", source, str(number)),
                *("msg_0123456789abcdef", read, written, 0, 0, 0, chance.random() < 0.02),
                *(read * 300 + written * 1500, "complete", "", moment.isoformat(" "), 0.5, 8.0, read, 0, 0),
            )


def report(days: int) -> None:
    from ledger.reports import usage
    from ledger.reports.usage import DateRange, Dimension, UsageFilter

    last = FIRST + timedelta(days=days - 1)
    ranges = {
        "a week": DateRange(last - timedelta(days=6), last),
        "30 days": DateRange(last - timedelta(days=29), last),
        "a calendar month": DateRange(FIRST.replace(month=3), FIRST.replace(month=3, day=31)),
        "a year from the 11th": DateRange(FIRST + timedelta(days=10), FIRST + timedelta(days=375)),
        "a calendar year": DateRange(FIRST, FIRST.replace(month=12, day=31)),
    }
    queries: dict[str, Callable[[DateRange], object]] = {
        "totals": usage.get_totals,
        "buckets": usage.list_buckets,
        **{f"by {by}": (lambda range, by=by: usage.list_rows(by, range)) for by in Dimension},
        "one person": lambda range: usage.get_totals(range, UsageFilter(person=3)),
    }
    print(f"\nReports, ms of the clock:\n| | rows | {' | '.join(queries)} | all |")
    print("|" + " --- |" * (len(queries) + 3))
    for name, range in ranges.items():
        taken = [median(time_repeats(lambda ask=ask, range=range: ask(range))) for ask in queries.values()]
        figures = " | ".join(f"{each * 1e3:.0f}" for each in [*taken, sum(taken)])
        print(f"| {name} | {usage.find_sums(range, UsageFilter()).count():,} | {figures} |", flush=True)


def time_repeats(ask: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
