"""What of which budget is used, and the right to use more."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Sum

from ledger.booking import statements
from ledger.models import Budget, Entry, Period, Scope, Spending, Unit, UsageSum
from ledger.models.entry import COUNTED_FIELDS
from ledger.models.money import units
from ledger.payer import Payer
from ledger.periods import midnight


@dataclass(frozen=True, slots=True)
class BudgetStatus:
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
    def is_spent(self) -> bool:
        """Nothing that is held could be given back and make room again."""
        return self.spent >= self.budget.limit_units

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


def standings(payer: Payer, at: datetime) -> list[BudgetStatus]:
    """Of all budgets in force for this payer, as they stand; writes nothing."""
    return [standing(budget, payer, at) for budget in in_force(statements.budgets(payer, at))]


def standing(budget: Budget, payer: Payer, at: datetime) -> BudgetStatus:
    """Of one budget for one who pays for it."""
    subject = payer[budget.scope]
    assert subject is not None
    return standing_of(budget, subject, at)


def standing_of(budget: Budget, subject: int, at: datetime) -> BudgetStatus:
    start = Period(budget.period).start(at)
    kept = Spending.objects.filter(budget=budget, revision=budget.revision, subject=subject, start=start)
    figures = kept.values_list("spent", "reserved").first() or summed(budget, subject, start)
    return BudgetStatus(budget, subject, start, *figures)


def in_force(budgets: Iterable[Budget]) -> list[Budget]:
    """Without those for each in whose place one of somebody's own stands."""
    applying = list(budgets)
    own = {(each.scope, each.period, each.unit) for each in applying if not each.is_for_each}
    return [each for each in applying if not each.is_for_each or (each.scope, each.period, each.unit) not in own]


def reserve(entry: Entry, payer: Payer) -> BudgetStatus | None:
    """Holds what the entry may come to, in every budget that it counts in; the first that is used up, if any is.

    In the caller's transaction, which is to be given up when there is one.
    """
    applying = kept(payer, entry.started_at)
    refusing = {budget.pk for budget in in_force(applying)}
    for budget in applying:
        amount = budget.units_of(entry.reserved_tokens, entry.reserved_cost)
        limit = budget.limit_units if budget.pk in refusing else None
        if budget.spending_pk and not statements.reserve(budget.spending_pk, amount, limit):
            return standing(budget, payer, entry.started_at)
    return None


def settle(entry: Entry, payer: Payer) -> None:
    """Puts what the entry came to in the place of what was held; in the caller's transaction, before it is summed."""
    for budget in kept(payer, entry.started_at):
        amount, held = (
            budget.units_of(tokens, cost)
            for tokens, cost in ((entry.tokens, entry.cost), (entry.reserved_tokens, entry.reserved_cost))
        )
        if budget.spending_pk:
            statements.spend(budget.spending_pk, amount, held)


def kept(payer: Payer, at: datetime) -> list[Budget]:
    """What the payer's calls count in, each with its row, made where it is missing."""
    applying = statements.budgets(payer, at)
    missing = [budget for budget in applying if budget.spending_pk is None]
    if not missing:
        return applying
    rows = []
    for budget in missing:
        subject, start = payer[budget.scope], Period(budget.period).start(at)
        assert subject is not None
        spent, reserved = summed(budget, subject, start)
        row = {"revision": budget.revision, "subject": subject, "start": start}
        rows.append(Spending(budget=budget, **row, spent=spent, reserved=reserved))
    # Whoever was faster has made the same row.
    Spending.objects.bulk_create(rows, ignore_conflicts=True)
    return statements.budgets(payer, at)


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
