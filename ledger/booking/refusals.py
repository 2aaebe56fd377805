"""What people and programs are told of budgets and limits."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.utils.timezone import get_default_timezone

from chatsite.money import money
from ledger.booking.budgets import BudgetStatus
from ledger.booking.rates import LimitHit
from ledger.models import Budget, Period, Scope, Unit

PERIODS: Final = {Period.DAY.value: "daily", Period.MONTH.value: "monthly"}


def used_up(standing: BudgetStatus) -> str:
    """Which budget, how much of how much, and when it renews."""
    name = budget_name(standing.budget)
    if standing.is_spent:
        return f"{name} is used up: {used(standing)}. {renewal(standing)}"
    held = figure(standing.budget, standing.reserved_shown)
    return (
        f"{name} is taken: {used(standing)} is used, and {held} is held for answers that are being written. "
        f"Try again when they have ended. {renewal(standing)}"
    )


def nearly_used_up(standing: BudgetStatus) -> str:
    if standing.is_spent:
        return used_up(standing)
    name = budget_name(standing.budget)
    share = f"{standing.percent}\N{NO-BREAK SPACE}% of {name[0].lower()}{name[1:]} is used"
    return f"{share}: {used(standing)}. {renewal(standing)}"


def too_many(excess: LimitHit) -> str:
    limit = excess.limit
    whose = "You have" if limit.scope == Scope.PERSON else "This API key has"
    if excess.is_of_streams:
        return f"{whose} {counted(limit.streams or 0, 'answer')} being written, as many as may be. Try again shortly."
    asked = counted(limit.requests_a_minute or 0, "request")
    wait = counted(max(1, round(excess.retry_after)), "second")
    return f"{whose} made {asked} within a minute, as many as may be. Try again in {wait}."


def budget_name(budget: Budget) -> str:
    """As who pays for it reads it, at the beginning of a sentence."""
    period = PERIODS[budget.period]
    match budget.scope:
        case Scope.SITE:
            return f"The site's {period} budget"
        case Scope.GROUP:
            return f"Your group's {period} budget"
        case Scope.KEY:
            return f"The API key's {period} budget"
    return f"Your {period} budget"


def used(standing: BudgetStatus) -> str:
    """$8.30 of $10.00, 830 of 1,000 tokens."""
    budget = standing.budget
    spent = figure(budget, standing.spent_shown).removesuffix(" tokens")
    return f"{spent} of {figure(budget, budget.limit)}"


def figure(budget: Budget, used: Decimal) -> str:
    return money(used) if budget.unit == Unit.MONEY else f"{used:,.0f} tokens"


def renewal(standing: BudgetStatus) -> str:
    """It renews on 1 December."""
    return f"It renews on {day(standing.renews_at)}."


def day(moment: datetime) -> str:
    there = moment.astimezone(get_default_timezone())
    return f"{there.day} {there:%B}"


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
