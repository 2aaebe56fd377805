"""What of which budget is used, and the right to use more."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Greatest

from ledger.models import Budget, Entry, Period, Scope, Spending, Unit, UsageSum
from ledger.models.entry import COUNTED_FIELDS
from ledger.models.money import units
from ledger.payer import Payer
from ledger.periods import midnight


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands for one subject, in its units: tokens, or the smallest parts of money."""

    budget: Budget
    subject: int
    start: date
    spent: int
    reserved: int

    @property
    def is_used_up(self) -> bool:
        return self.spent + self.reserved >= self.budget.limit_units

    @property
    def percent(self) -> int:
        """What is spent of it, rounded down: 100 means that nothing is left."""
        return 100 * self.spent // self.budget.limit_units if self.budget.limit_units else 100

    @property
    def is_nearly_used_up(self) -> bool:
        return self.percent >= self.budget.warn_share

    @property
    def spent_shown(self) -> Decimal:
        """In tokens, or in money."""
        return self.budget.shown(self.spent)

    @property
    def reserved_shown(self) -> Decimal:
        return self.budget.shown(self.reserved)

    @property
    def renews_at(self) -> datetime:
        return midnight(Period(self.budget.period).after(self.start))


def standings(payer: Payer, at: datetime) -> list[Standing]:
    """Of all budgets in force for this payer, as they stand; writes nothing."""
    return [standing(budget, payer, at) for budget in in_force(Budget.objects.applying_to(payer))]


def standing(budget: Budget, payer: Payer, at: datetime) -> Standing:
    """Of one budget for one who pays for it."""
    subject = payer[budget.scope]
    assert subject is not None
    return standing_of(budget, subject, at)


def standing_of(budget: Budget, subject: int, at: datetime) -> Standing:
    start = Period(budget.period).start(at)
    kept = Spending.objects.filter(budget=budget, revision=budget.revision, subject=subject, start=start)
    figures = kept.values_list("spent", "reserved").first() or summed(budget, subject, start)
    return Standing(budget, subject, start, *figures)


def in_force(budgets: Iterable[Budget]) -> list[Budget]:
    """Without those for each in whose place one of somebody's own stands."""
    applying = list(budgets)
    own = {(each.scope, each.period, each.unit) for each in applying if not each.is_for_each}
    return [each for each in applying if not each.is_for_each or (each.scope, each.period, each.unit) not in own]


def reserve(entry: Entry, payer: Payer) -> Standing | None:
    """Holds what the entry may come to, in every budget that it counts in; the first that is used up, if any is.

    In the caller's transaction, which is to be given up when there is one.
    """
    applying = list(Budget.objects.applying_to(payer))
    refusing = {budget.pk for budget in in_force(applying)}
    for spending in spendings(applying, payer, entry.started_at):
        budget = spending.budget
        row = Spending.objects.filter(pk=spending.pk)
        if budget.pk in refusing:
            row = row.annotate(taken=F("spent") + F("reserved")).filter(taken__lt=budget.limit_units)
        # The condition and the change are one statement: between them no other call can take what is left.
        if not row.update(reserved=F("reserved") + budget.units_of(entry.reserved_tokens, entry.reserved_cost)):
            return standing(budget, payer, entry.started_at)
    return None


def settle(entry: Entry, payer: Payer) -> None:
    """Puts what the entry came to in the place of what was held; in the caller's transaction, before it is summed."""
    for spending in spendings(Budget.objects.applying_to(payer), payer, entry.started_at):
        budget = spending.budget
        held = budget.units_of(entry.reserved_tokens, entry.reserved_cost)
        Spending.objects.filter(pk=spending.pk).update(
            spent=F("spent") + budget.units_of(entry.tokens, entry.cost), reserved=Greatest(F("reserved") - held, 0)
        )


def spendings(budgets: Iterable[Budget], payer: Payer, at: datetime) -> Iterator[Spending]:
    """The rows that are to be changed, made where they are missing; in the order in which everybody takes them."""
    wanted = {}
    for budget in budgets:
        subject = payer[budget.scope]
        assert subject is not None
        start = Period(budget.period).start(at)
        wanted[budget.pk] = Spending(budget=budget, revision=budget.revision, subject=subject, start=start)
    found = {each.budget_id: each for each in rows(wanted.values())}
    if missing := [each for pk, each in wanted.items() if pk not in found]:
        for each in missing:
            each.spent, each.reserved = summed(each.budget, each.subject, each.start)
        # Whoever was faster has made the same row.
        Spending.objects.bulk_create(missing, ignore_conflicts=True)
        found = {each.budget_id: each for each in rows(wanted.values())}
    for spending in sorted(found.values(), key=lambda each: each.pk):
        spending.budget = wanted[spending.budget_id].budget
        yield spending


def rows(wanted: Iterable[Spending]) -> "QuerySet[Spending]":
    """Those of these that are there."""
    places = Q(pk=None)
    for each in wanted:
        places |= Q(budget=each.budget_id, revision=each.revision, subject=each.subject, start=each.start)
    return Spending.objects.filter(places)


def summed(budget: Budget, subject: int, start: date) -> tuple[int, int]:
    """What is spent and reserved of a budget in the period that begins on `start`, by the ledger itself."""
    period = Period(budget.period)
    settled = UsageSum.objects.filter(span=period, start=start)
    open_ = Entry.objects.open().filter(started_at__gte=midnight(start), started_at__lt=midnight(period.after(start)))
    if budget.scope != Scope.SITE:
        settled = settled.filter(**{f"{budget.scope}_pk": subject})
        open_ = open_.filter(**{f"{budget.scope}_id": subject})
    if budget.unit == Unit.MONEY:
        spent = settled.aggregate(sum=Sum("cost"))["sum"]
        held = open_.aggregate(sum=Sum("reserved_cost"))["sum"]
        return units(spent or Decimal(0)), units(held or Decimal(0))
    counted = settled.aggregate(**{name: Sum(name) for name in COUNTED_FIELDS})
    return sum(figure or 0 for figure in counted.values()), open_.aggregate(sum=Sum("reserved_tokens"))["sum"] or 0
