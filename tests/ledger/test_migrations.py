"""Figures below zero, which earlier versions could write, are corrected before constraints forbid them."""

from collections.abc import Iterator
from datetime import date
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import CheckConstraint
from django.utils.timezone import now

from accounts.models import User
from ledger.models import Entry, Spending, UsageSum
from ledger.models.money import from_units
from tests.ledger.calling import begin_call, make_budget, make_call, read_spendings
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)

CORRECTION = import_module("ledger.migrations.0004_corrected_figures")
NOT_NEGATIVE = [
    (model, constraint)
    for model in (Entry, Spending, UsageSum)
    for constraint in model._meta.constraints
    if isinstance(constraint, CheckConstraint)
]


def migrate() -> None:
    with transaction.atomic():
        CORRECTION.correct(apps, None)


@pytest.fixture
def before(db: None) -> Iterator[None]:
    """The tables as they were before the constraints."""
    change_constraints("remove_constraint", "ON")
    yield
    for model in (Spending, UsageSum, Entry):
        model.objects.all().delete()
    change_constraints("add_constraint", "OFF")


def change_constraints(change: str, ignore: str) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA ignore_check_constraints = {ignore}")
        return
    with connection.schema_editor() as editor:
        for model, constraint in NOT_NEGATIVE:
            getattr(editor, change)(model, constraint)


def test_figures_below_zero_are_corrected(ada: User, ben: User, model: ChatModel, before: None) -> None:
    tokens, money = make_budget(1000), make_budget(1000, unit="money")
    changed, gone = make_budget(1000, scope="person"), make_budget(500, period="day")
    make_call(ada, model, 100, 50)
    wrong = make_call(ada, model, 10, 20)
    running = begin_call(ben, model, prompt=30, answer=40)
    Entry.objects.filter(pk=wrong.pk).update(input_tokens=-(10**9), cost=-(10**9))
    UsageSum.objects.filter(person_pk=ada.pk).update(input_tokens=100 - 10**9, cost=60_000 - 10**9)
    Spending.objects.filter(budget=tokens).update(spent=-(10**9), reserved=10**12)
    Spending.objects.filter(budget=money).update(spent=-(10**9), reserved=-1)
    Spending.objects.filter(budget=changed, subject=ada.pk).update(reserved=10**12)
    Spending.objects.filter(budget=gone).update(revision=7, spent=-1, reserved=-1)
    migrate()
    wrong.refresh_from_db()
    assert (wrong.input_tokens, wrong.output_tokens, wrong.cost) == (0, 20, 0)
    for each in UsageSum.objects.filter(person_pk=ada.pk):
        assert (each.calls, each.input_tokens, each.output_tokens, each.cost) == (2, 100, 70, from_units(60_000))
    assert read_spendings(tokens) == [(170, 70)]
    assert read_spendings(money) == [(60_000, 43_000)]
    assert read_spendings(changed) == [(170, 0), (0, 70)]
    assert list(Spending.objects.filter(budget=gone).values_list("spent", "reserved")) == [(0, 0)]
    running.refresh_from_db()
    assert (running.reserved_tokens, running.is_open) == (70, True)


def test_reservations_below_zero_are_corrected(ada: User, model: ChatModel, before: None) -> None:
    site = make_budget(1000)
    entry = begin_call(ada, model, prompt=30, answer=40)
    Entry.objects.filter(pk=entry.pk).update(reserved_tokens=-2 * 10**12, reserved_cost=-5, prompt_estimate=-1)
    Spending.objects.update(reserved=-2 * 10**12)
    migrate()
    entry.refresh_from_db()
    assert (entry.reserved_tokens, entry.reserved_cost, entry.prompt_estimate) == (0, 0, 0)
    assert read_spendings(site) == [(0, 0)]


def test_a_sum_whose_calls_are_no_longer_known_keeps_its_other_figures(before: None) -> None:
    row: dict[str, Any] = {"span": "day", "start": date(2026, 11, 1), "person_pk": 7, "source": "gateway"}
    UsageSum.objects.create(**row, calls=5, input_tokens=-3, output_tokens=9, cost=from_units(8))
    migrate()
    kept = UsageSum.objects.get(person_pk=7)
    assert (kept.calls, kept.input_tokens, kept.output_tokens, kept.cost) == (5, 0, 9, from_units(8))


@pytest.mark.parametrize("field", ["spent", "reserved"])
def test_the_database_refuses_a_spending_below_zero(ada: User, model: ChatModel, field: str) -> None:
    make_budget(1000)
    make_call(ada, model)
    with pytest.raises(IntegrityError, match="spending_not_negative"), transaction.atomic():
        Spending.objects.update(**{field: -1})


@pytest.mark.parametrize("field", ["reserved_tokens", "reserved_cost", "output_tokens", "cost"])
def test_the_database_refuses_an_entry_below_zero(ada: User, model: ChatModel, field: str) -> None:
    make_call(ada, model)
    with pytest.raises(IntegrityError, match="entry_not_negative"), transaction.atomic():
        Entry.objects.update(**{field: -1})


def test_the_database_refuses_a_usage_sum_below_zero(ada: User, model: ChatModel) -> None:
    make_call(ada, model)
    with pytest.raises(IntegrityError, match="usage_sum_not_negative"), transaction.atomic():
        UsageSum.objects.filter(start__lte=now()).update(cost=-1)
