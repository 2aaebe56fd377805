"""Budgets as calls use them: their status, the reservation before a call and the settlement after it."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from ledger.booking import statements
from ledger.models import Budget, Entry, Period, Scope, Spending, Unit, UsageSum
from ledger.models.entry import COUNTED_FIELDS
from ledger.models.money import to_units
from ledger.payer import Payer
from ledger.periods import midnight

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """How much of a budget one subject has spent and reserved, in the budget's units: tokens or money units."""

    budget: Budget
    subject: int
    start: date
    spent: int
    reserved: int

    @property
    def is_exhausted(self) -> bool:
        """Nothing is left, at least until reservations are released."""
        return self.spent + self.reserved >= self.budget.limit_units

    @property
    def is_spent(self) -> bool:
        """Nothing is left even when all reservations are released."""
        return self.spent >= self.budget.limit_units

    @property
    def percent(self) -> int:
        """The share that is spent, rounded down: at 100 nothing is left."""
        return 100 * self.spent // self.budget.limit_units if self.budget.limit_units else 100

    @property
    def is_nearly_exhausted(self) -> bool:
        return self.percent >= self.budget.warn_share

    @property
    def spent_amount(self) -> Decimal:
        """In tokens or in money, as `budget.limit`."""
        return self.budget.amount_of(self.spent)

    @property
    def reserved_amount(self) -> Decimal:
        return self.budget.amount_of(self.reserved)

    @property
    def renews_at(self) -> datetime:
        return midnight(Period(self.budget.period).after(self.start))


def list_statuses(payer: Payer, at: datetime) -> list[BudgetStatus]:
    """The status of every budget that can refuse the payer's calls. Writes nothing."""
    return [get_status(budget, payer, at) for budget in drop_overridden(statements.find_budgets(payer, at))]


def get_status(budget: Budget, payer: Payer, at: datetime) -> BudgetStatus:
    subject = payer[budget.scope]
    assert subject is not None
    return get_subject_status(budget, subject, at)


def get_subject_status(budget: Budget, subject: int, at: datetime) -> BudgetStatus:
    start = Period(budget.period).start(at)
    stored = Spending.objects.filter(budget=budget, revision=budget.revision, subject=subject, start=start)
    figures = stored.values_list("spent", "reserved").first() or sum_ledger(budget, subject, start)
    return BudgetStatus(budget, subject, start, *figures)


def drop_overridden(budgets: Iterable[Budget]) -> list[Budget]:
    """Drops each per-subject default that the subject's own budget of the same scope, period and unit overrides."""
    applicable = list(budgets)
    own = {(each.scope, each.period, each.unit) for each in applicable if not each.is_for_each}
    return [each for each in applicable if not each.is_for_each or (each.scope, each.period, each.unit) not in own]


def reserve(entry: Entry, payer: Payer) -> BudgetStatus | None:
    """Reserves the entry's maximum in every budget. Returns the first exhausted one, if any.

    The caller must then roll its transaction back.
    """
    applicable = ensure_spendings(payer, entry.started_at)
    refusing = {budget.pk for budget in drop_overridden(applicable)}
    for budget in applicable:
        amount = budget.units_of(entry.reserved_tokens, entry.reserved_cost)
        limit = budget.limit_units if budget.pk in refusing else None
        if budget.spending_pk and not statements.reserve(budget.spending_pk, amount, limit):
            return get_status(budget, payer, entry.started_at)
    return None


def settle(entry: Entry, budgets: Iterable[Budget]) -> None:
    """Replaces the entry's reservations in the budgets with its usage, which the ledger already contains."""
    for budget in budgets:
        amount = budget.units_of(entry.tokens, entry.cost)
        reserved = budget.units_of(entry.reserved_tokens, entry.reserved_cost)
        if budget.spending_pk and not statements.spend(budget.spending_pk, amount, reserved):
            correct(budget.spending_pk)


def correct_reservations() -> None:
    """Corrects the rows that reserve something for calls that have ended, for example of a person who was deleted."""
    for pk in Spending.objects.current().exclude(reserved=0).values_list("pk", flat=True):
        correct(pk)


@transaction.atomic
def correct(spending_pk: int) -> None:
    """Sums the row up from the ledger again, and logs it if the row was wrong. Does nothing if the row is gone."""
    # With the lock the sum is exact: a call changes the ledger and this row in one transaction, which has either ended
    # or waits for the lock and is not yet visible.
    row = Spending.objects.current().select_for_update(of=("self",)).select_related("budget").filter(pk=spending_pk)
    for spending in row:
        found = spending.spent, spending.reserved
        summed = sum_ledger(spending.budget, spending.subject, spending.start)
        if found != summed:
            logger.error("%s: spent and reserved were %s and are corrected to %s", spending, found, summed)
            spending.spent, spending.reserved = summed
            spending.save(update_fields=["spent", "reserved"])


def ensure_spendings(payer: Payer, at: datetime) -> list[Budget]:
    """Every budget that counts the payer's calls, each with its spending row, which is created if it is missing."""
    applicable = statements.find_budgets(payer, at)
    missing = [budget for budget in applicable if budget.spending_pk is None]
    if not missing:
        return applicable
    rows = []
    for budget in missing:
        subject, start = payer[budget.scope], Period(budget.period).start(at)
        assert subject is not None
        spent, reserved = sum_ledger(budget, subject, start)
        row = {"revision": budget.revision, "subject": subject, "start": start}
        rows.append(Spending(budget=budget, **row, spent=spent, reserved=reserved))
    # Another call may have created the same row in the meantime.
    Spending.objects.bulk_create(rows, ignore_conflicts=True)
    return statements.find_budgets(payer, at)


def sum_ledger(budget: Budget, subject: int, start: date) -> tuple[int, int]:
    """Sums up what the ledger has as spent and as reserved in the budget's period from `start` on."""
    period = Period(budget.period)
    settled = UsageSum.objects.filter(span=period, start=start)
    open_ = Entry.objects.open().filter(started_at__gte=midnight(start), started_at__lt=midnight(period.after(start)))
    if budget.scope != Scope.SITE:
        settled = settled.filter(**{f"{budget.scope}_pk": subject})
        open_ = open_.filter(**{f"{budget.scope}_id": subject})
    if budget.unit == Unit.MONEY:
        spent = settled.aggregate(sum=Sum("cost"))["sum"]
        reserved = open_.aggregate(sum=Sum("reserved_cost"))["sum"]
        return to_units(spent or Decimal(0)), to_units(reserved or Decimal(0))
    counts = settled.aggregate(**{name: Sum(name) for name in COUNTED_FIELDS})
    return sum(count or 0 for count in counts.values()), open_.aggregate(sum=Sum("reserved_tokens"))["sum"] or 0
