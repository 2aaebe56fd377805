"""Concurrent calls cannot get past a budget or a limit."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import close_old_connections, connections
from django.db.models import F
from django.utils.timezone import now

from accounts.models import User
from ledger.booking.entries import CallRefused
from ledger.models import Entry, RateLimit, UsageSum
from tests.ledger.calling import begin_call, make_budget, make_call, make_key, read_spendings, settle_call
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


def at_once[R](act: Callable[[int], R], count: int = 20) -> list[R]:
    """The results of `count` threads that start together."""
    results: list[R] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait(10)
            results.append(act(number))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    close_old_connections()
    assert len(results) == count, "a thread failed"
    return results


def tried(*args: Any, **fields: Any) -> Entry | None:
    try:
        return begin_call(*args, **fields)
    except CallRefused:
        return None


def test_twenty_calls_overspend_a_budget_by_at_most_one_reservation(ada: User, model: ChatModel) -> None:
    site, mine = make_budget(1000), make_budget(5000, scope="person", period="day")
    make_call(ada, model, 700, 50)
    entries = [each for each in at_once(lambda _: tried(ada, model, prompt=60, answer=40)) if each]
    # 750 are spent and each call reserves 100: the third is the last to find less than 1,000 used.
    assert len(entries) == 3
    assert read_spendings(site) == [(750, 300)] and read_spendings(mine) == [(750, 300)]
    at_once(lambda number: settle_call(entries[number], 60, 40), count=3)
    assert read_spendings(site) == [(1050, 0)]
    assert Entry.objects.count() == 4


def test_the_first_calls_of_a_period_are_all_counted(ada: User, ben: User, model: ChatModel) -> None:
    people = [ada, ben]
    site, each = make_budget(10**9), make_budget(10**9, scope="person")
    at_once(lambda number: make_call(people[number % 2], model, 10, 5))
    assert read_spendings(site) == [(300, 0)] and read_spendings(each) == [(150, 0), (150, 0)]
    assert set(UsageSum.objects.values_list("calls", "input_tokens", "output_tokens")) == {(10, 100, 50)}


def test_concurrent_settlements_settle_an_entry_once(ada: User, model: ChatModel) -> None:
    site = make_budget(1000)
    entry = begin_call(ada, model)
    at_once(lambda _: settle_call(Entry.objects.select_related("chat_model").get(pk=entry.pk), 10, 5), count=8)
    assert read_spendings(site) == [(15, 0)]


@pytest.mark.parametrize("scope", ["person", "key"])
def test_concurrent_calls_keep_the_limit_of_simultaneous_answers(ada: User, model: ChatModel, scope: str) -> None:
    key = make_key(ada)
    RateLimit.objects.create(scope=scope, streams=3)
    entries = [each for each in at_once(lambda _: tried(ada, model, key=key), count=8) if each]
    assert len(entries) == 3
    with pytest.raises(CallRefused, match="3 running answers") as refused:
        begin_call(ada, model, key=key)
    assert (refused.value.kind, refused.value.retry_after) == ("rate_limited", 2.0)
    settle_call(entries[0])
    begin_call(ada, model, key=key)


def test_concurrent_calls_keep_the_limit_of_requests_a_minute(ada: User, ben: User, model: ChatModel) -> None:
    RateLimit.objects.create(scope="person", requests_a_minute=5)
    RateLimit.objects.create(scope="person", person=ben, requests_a_minute=6)
    assert sum(1 for each in at_once(lambda _: tried(ada, model), count=8) if each) == 5
    with pytest.raises(CallRefused, match="You have made 5 requests within a minute") as refused:
        begin_call(ada, model)
    assert refused.value.retry_after is not None and 0 < refused.value.retry_after <= 60
    for _ in range(6):
        begin_call(ben, model)
    with pytest.raises(CallRefused):
        begin_call(ben, model)
    first = Entry.objects.filter(person=ada).earliest("started_at")
    Entry.objects.filter(pk=first.pk).update(started_at=F("started_at") - timedelta(seconds=61))
    begin_call(ada, model)
    with pytest.raises(CallRefused):
        begin_call(ada, model)
    assert Entry.objects.filter(person=ada, started_at__gt=now() - timedelta(minutes=1)).count() == 5
