"""Budgets as people see them: how much is used, in words and as a meter."""

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add

from django.db.models import F, Sum
from django.utils.timezone import now

from accounts.models import User
from ledger.booking import refusals
from ledger.booking.budgets import BudgetStatus, get_subject_status, list_statuses
from ledger.models import Budget, Period, Scope, Unit, UsageSum
from ledger.models.entry import COUNTED_FIELDS
from ledger.payer import Payer


@dataclass(frozen=True, slots=True)
class BudgetMeter:
    """One budget of one subject. `state` is "", "warning" or "full"."""

    name: str
    status: BudgetStatus

    @property
    def filled(self) -> int:
        """The filled part of the meter in percent, at most 100."""
        return min(100, self.status.percent)

    @property
    def state(self) -> str:
        if self.status.is_exhausted:
            return "full"
        return "warning" if self.status.is_nearly_exhausted else ""

    @property
    def used(self) -> str:
        return refusals.format_amount(self.status.budget, self.status.spent_amount)

    @property
    def limit(self) -> str:
        return refusals.format_amount(self.status.budget, self.status.budget.limit)

    @property
    def reserved(self) -> str:
        """The amount that is reserved for running calls; "" for none."""
        return refusals.format_amount(self.status.budget, self.status.reserved_amount) if self.status.reserved else ""

    @property
    def renewal(self) -> str:
        return refusals.describe_renewal(self.status)


def list_meters(person: User) -> list[BudgetMeter]:
    """The meters of all budgets that count the person's calls, including those of their valid keys."""
    at = now()
    found = [BudgetMeter(refusals.name_for_payer(each.budget), each) for each in list_statuses(Payer.of(person), at)]
    if not Budget.objects.filter(is_active=True, scope=Scope.KEY).exists():
        return found
    for key in person.api_keys.valid():
        found += [
            BudgetMeter(f"{key}, {refusals.PERIODS[each.budget.period]}", each)
            for each in list_statuses(Payer(key=key.pk), at)
            if each.budget.scope == Scope.KEY
        ]
    return found


@dataclass(frozen=True, slots=True)
class BudgetOverview:
    """A budget in the list of all budgets. For a per-subject default, `meter` is that of the subject that used most,
    `count` the number of subjects that used any, and `used_up` the number of those with nothing left.
    """

    budget: Budget
    meter: BudgetMeter | None
    count: int = 0
    used_up: int = 0


def list_overviews(budgets: list[Budget]) -> list[BudgetOverview]:
    at = now()
    return [
        build_overview_for_each(each, at) if each.is_for_each else build_overview_for_one(each, at) for each in budgets
    ]


def build_overview_for_one(budget: Budget, at: datetime) -> BudgetOverview:
    assert budget.subject_pk is not None
    return BudgetOverview(budget, BudgetMeter(budget.subject_name, get_subject_status(budget, budget.subject_pk, at)))


def build_overview_for_each(budget: Budget, at: datetime) -> BudgetOverview:
    """Reads the usage sums: they also know subjects that have made no call since the budget was created."""
    start, subject = Period(budget.period).start(at), f"{budget.scope}_pk"
    # A subject's own budget of the same kind replaces this one.
    alike = Budget.objects.filter(scope=budget.scope, period=budget.period, unit=budget.unit, is_active=True)
    with_own = alike.exclude(**{budget.scope: None}).values(f"{budget.scope}_id")
    sums = UsageSum.objects.filter(span=budget.period, start=start).exclude(**{subject: 0})
    spent = Sum("cost") if budget.unit == Unit.MONEY else Sum(reduce(add, map(F, COUNTED_FIELDS)))
    by_subject = sums.exclude(**{f"{subject}__in": with_own}).values_list(subject).annotate(spent=spent)
    spending = by_subject.filter(spent__gt=0).order_by("-spent")
    fullest = spending.first()
    if fullest is None:
        return BudgetOverview(budget, None)
    model = Budget._meta.get_field(budget.scope).related_model
    assert model is not None and not isinstance(model, str)
    name = str(model._default_manager.filter(pk=fullest[0]).first() or "Deleted")
    used_up = spending.filter(spent__gte=budget.limit_units).count()
    status = get_subject_status(budget, fullest[0], at)
    return BudgetOverview(budget, BudgetMeter(name, status), spending.count(), used_up)
