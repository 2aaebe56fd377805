"""Budgets as people see them: how full each is, in words and as a meter."""

from dataclasses import dataclass

from django.utils.timezone import now

from accounts.models import User
from ledger import words
from ledger.budgets import Standing, standings
from ledger.models import Budget, Scope
from ledger.payer import Payer


@dataclass(frozen=True, slots=True)
class Meter:
    """One budget of one subject: `drawn` is at most 100 percent, `state` is "", "warning" or "full"."""

    name: str
    standing: Standing

    @property
    def drawn(self) -> int:
        return min(100, self.standing.percent)

    @property
    def state(self) -> str:
        if self.standing.is_used_up:
            return "full"
        return "warning" if self.standing.is_nearly_used_up else ""

    @property
    def used(self) -> str:
        return words.figure(self.standing.budget, self.standing.spent_shown)

    @property
    def limit(self) -> str:
        return words.figure(self.standing.budget, self.standing.budget.limit)

    @property
    def held(self) -> str:
        """What is reserved for calls that still run; "" for nothing."""
        return words.figure(self.standing.budget, self.standing.reserved_shown) if self.standing.reserved else ""

    @property
    def renewal(self) -> str:
        return words.renewal(self.standing)


def of_person(person: User) -> list[Meter]:
    """Those that this person's calls count in, and those of their keys that work."""
    at = now()
    found = [Meter(words.budget_name(each.budget), each) for each in standings(Payer.of(person), at)]
    if not Budget.objects.active().filter(scope=Scope.KEY).exists():
        return found
    for key in person.api_keys.valid():
        found += [
            Meter(f"{key}, {words.PERIODS[each.budget.period]}", each)
            for each in standings(Payer(key=key.pk), at)
            if each.budget.scope == Scope.KEY
        ]
    return found
