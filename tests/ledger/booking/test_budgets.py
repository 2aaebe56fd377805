"""Budgets: to whom they apply, what they count, and that they hold."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils.timezone import now

from accounts.models import User
from ledger.booking import budgets, entries
from ledger.booking.entries import CallRefused, Outcome
from ledger.models import Budget, Entry, Spending
from ledger.payer import Payer
from tests.ledger.calling import (
    at,
    begin_call,
    make_budget,
    make_call,
    make_key,
    make_meter,
    make_model,
    read_spendings,
    settle_call,
)
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db


def refusal(person: User, model: ChatModel, **fields: Any) -> CallRefused:
    with pytest.raises(CallRefused) as refused:
        begin_call(person, model, **fields)
    return refused.value


def test_a_call_is_reserved_before_and_settled_after(ada: User, model: ChatModel) -> None:
    site = make_budget(1000)
    entry = begin_call(ada, model, prompt=100, answer=300)
    assert read_spendings(site) == [(0, 400)]
    settle_call(entry, 90, 20)
    assert read_spendings(site) == [(110, 0)]


def test_the_last_call_may_exceed_the_budget_and_the_next_is_refused(ada: User, model: ChatModel) -> None:
    make_budget(1000)
    make_call(ada, model, 900, 99)
    last = begin_call(ada, model, prompt=500, answer=500)
    error = refusal(ada, model)
    assert (error.kind, error.retry_after) == ("over_budget", entries.RESERVED_RETRY)
    assert "999 of 1,000 tokens is used, and 1,000 tokens is reserved" in str(error)
    settle_call(last, 500, 500)
    assert str(refusal(ada, model)).startswith(
        "The site's monthly budget is used up: 1,999 of 1,000 tokens. It renews on 1 "
    )


def test_a_refused_call_leaves_nothing(ada: User, model: ChatModel) -> None:
    generous, tight = make_budget(10_000), make_budget(0)
    key = make_key(ada)
    refusal(ada, model, key=key)
    key.refresh_from_db()
    assert not Entry.objects.exists() and key.last_used_at is None
    assert read_spendings(generous) in ([], [(0, 0)]) and read_spendings(tight) in ([], [(0, 0)])


def test_money_is_exact(ada: User, model: ChatModel) -> None:
    mine = make_budget("0.01", scope="person", person=ada, unit="money")
    for _ in range(3):
        make_call(ada, model, 1, 3)
    assert budgets.get_status(mine, Payer.of(ada), now()).spent_amount == Decimal("0.000093")
    make_call(ada, model, 0, 1000)
    assert "$0.01 of $0.01" in str(refusal(ada, model))


def test_calls_without_prices_spend_no_money(ada: User) -> None:
    free = make_model("Free")
    mine = make_budget("0.01", scope="person", person=ada, unit="money")
    make_call(ada, free, 1_000_000, 1_000_000)
    assert read_spendings(mine) == [(0, 0)]


@pytest.mark.parametrize("scope", ["person", "group", "key"])
def test_a_budget_for_each_counts_each_subject_separately(ada: User, ben: User, model: ChatModel, scope: str) -> None:
    keys = {}
    for person in (ada, ben):
        person.groups.add(Group.objects.create(name=f"Group of {person}"))
        keys[person] = make_key(person)
    each = make_budget(100, scope=scope)
    make_call(ada, model, 100, 0, key=keys[ada])
    refusal(ada, model, key=keys[ada])
    make_call(ben, model, 10, 0, key=keys[ben])
    assert sorted(read_spendings(each)) == [(10, 0), (100, 0)]


def test_an_own_budget_replaces_the_one_for_each(ada: User, ben: User, model: ChatModel) -> None:
    each = make_budget(100, scope="person")
    own = make_budget(1000, scope="person", person=ada)
    make_call(ada, model, 300, 0)
    make_call(ben, model, 300, 0)
    begin_call(ada, model)
    refusal(ben, model)
    own.delete()
    refusal(ada, model)
    assert read_spendings(each) == [(300, 200), (300, 0)]


def test_a_budget_applies_to_nobody_else(ada: User, ben: User, model: ChatModel) -> None:
    make_budget(0, scope="person", person=ada)
    make_budget(0, scope="group", group=Group.objects.create(name="Sales"))
    make_budget(0, scope="key", key=make_key(ada))
    begin_call(ben, model)
    begin_call(ben, model, key=make_key(ben))
    refusal(ada, model)


def test_a_member_of_several_groups_counts_in_the_first_by_name(ada: User, model: ChatModel) -> None:
    sales, engineers = (Group.objects.create(name=name) for name in ("Sales", "Engineers"))
    ada.groups.add(sales, engineers)
    make_budget(0, scope="group", group=sales)
    make_call(ada, model)
    make_budget(100, scope="group", group=engineers)
    assert str(refusal(ada, model)).startswith("Your group's monthly budget is used up")


def test_a_budget_created_in_mid_period_starts_from_the_ledger(ada: User, ben: User, model: ChatModel) -> None:
    make_call(ada, model, 100, 50)
    make_call(ben, model, 1000, 0)
    open_ = begin_call(ada, model, prompt=10, answer=20)
    mine = make_budget(180, scope="person", person=ada)
    assert budgets.get_status(mine, Payer.of(ada), now()) == budgets.BudgetStatus(
        mine, ada.pk, now().date().replace(day=1), 150, 30
    )
    refusal(ada, model)
    settle_call(open_, 10, 10)
    assert read_spendings(mine) == [(170, 0)]


def test_a_call_settled_before_the_first_use_of_a_budget_counts_once(ada: User, model: ChatModel) -> None:
    entry = begin_call(ada, model, prompt=10, answer=20)
    site = make_budget(1000)
    settle_call(entry, 10, 10)
    make_call(ada, model, 5, 0)
    assert read_spendings(site) == [(25, 0)]


def test_raising_the_limit_allows_calls_again(ada: User, model: ChatModel) -> None:
    site = make_budget(100)
    make_call(ada, model, 100, 0)
    refusal(ada, model)
    site.limit = Decimal(200)
    site.save(update_fields=["limit"])
    assert read_spendings(site) == [(100, 0)]
    begin_call(ada, model)


@pytest.mark.parametrize("change", [{"unit": "money", "limit": 1}, {"period": "day"}, {"scope": "person"}])
def test_a_budget_with_changed_terms_starts_from_the_ledger_again(
    ada: User, model: ChatModel, change: dict[str, Any]
) -> None:
    changing = make_budget(1000)
    make_call(ada, model, 100, 10)
    open_ = begin_call(ada, model)
    for name, value in change.items():
        setattr(changing, name, value)
    changing.save()
    settle_call(open_, 100, 10)
    make_call(ada, model, 100, 10)
    spent = 3 * (20_000 if changing.unit == "money" else 110)
    assert read_spendings(changing) == [(spent, 0)]


def test_an_inactive_budget_counts_all_calls_once_it_is_active_again(ada: User, model: ChatModel) -> None:
    site = make_budget(150)
    open_ = begin_call(ada, model)
    site.is_active = False
    site.save(update_fields=["is_active"])
    settle_call(open_, 100, 0)
    make_call(ada, model, 100, 0)
    site.is_active = True
    site.save(update_fields=["is_active"])
    refusal(ada, model)


def test_a_budget_can_be_deleted_while_a_call_runs(ada: User, model: ChatModel) -> None:
    site = make_budget(150)
    entry = begin_call(ada, model)
    site.delete()
    settle_call(entry)
    assert not Spending.objects.exists() and not Entry.objects.open().exists()


def test_a_failed_call_releases_its_reservation(ada: User, model: ChatModel) -> None:
    site = make_budget(150)
    entries.settle(begin_call(ada, model), make_meter([]), Outcome.FAILED, "overloaded")
    assert read_spendings(site) == [(0, 0)]
    begin_call(ada, model)
    refusal(ada, model)
    entries.recover()
    assert read_spendings(site) == [(100, 0)]


def test_months_end_in_the_time_zone_of_the_site(
    ada: User, model: ChatModel, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    monthly, daily = make_budget(100), make_budget(100, period="day")
    moments = ["2028-02-28T23:30:00", "2028-02-29T00:10:00", "2028-02-29T23:59:59", "2028-03-01T00:00:00"]
    for moment in moments:
        monkeypatch.setattr(entries, "now", lambda moment=moment: at(moment))
        make_call(ada, model, 10, 0)
    assert read_spendings(monthly) == [(30, 0), (10, 0)]
    assert read_spendings(daily) == [(10, 0), (20, 0), (10, 0)]


def test_a_call_counts_in_the_period_in_which_it_began(
    ada: User, model: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = make_budget(100, period="day")
    monkeypatch.setattr(entries, "now", lambda: at("2028-12-31T23:59:00"))
    entry = begin_call(ada, model, prompt=50, answer=50)
    error = refusal(ada, model)
    assert error.renews_at == at("2029-01-01T00:00:00")
    assert str(error).endswith("It renews on 1 January.")
    monkeypatch.setattr(entries, "now", lambda: at("2029-01-01T00:01:00"))
    make_call(ada, model, 10, 0)
    settle_call(entry, 70, 0)
    assert read_spendings(daily) == [(70, 0), (10, 0)]


def test_a_budget_warns_at_its_share_and_refuses_at_its_limit(ada: User, ben: User, model: ChatModel) -> None:
    make_budget("0.01", scope="person", unit="money", warn_share=80)
    make_call(ada, model, 0, 799)
    assert entries.list_warnings(ada) == []
    make_call(ada, model, 0, 31)
    (warning,) = entries.list_warnings(ada)
    assert warning.startswith("83\N{NO-BREAK SPACE}% of your monthly budget is used: $0.0083 of $0.01. It renews on 1 ")
    assert entries.find_refusal(ada) is None
    make_call(ada, model, 0, 200)
    refused = entries.find_refusal(ada)
    assert refused is not None and refused.kind == "over_budget" and refused.renews_at is not None
    assert entries.find_refusal(ben) is None and entries.list_warnings(ben) == []
    assert not Budget.objects.exclude(revision=0).exists()
