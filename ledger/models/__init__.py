"""Entries of the ledger, their sums, and the budgets and limits that calls keep to."""

from ledger.models.budget import Budget, Scope, Spending, Unit
from ledger.models.entry import CallSource, Entry, Outcome
from ledger.models.rate_limit import RateLimit
from ledger.models.usage_sum import UsageSum
from ledger.periods import Period

__all__ = [
    "Budget",
    "Entry",
    "Outcome",
    "Period",
    "RateLimit",
    "Scope",
    "CallSource",
    "Spending",
    "Unit",
    "UsageSum",
]
