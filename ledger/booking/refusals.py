"""Messages to people and programs that a budget or a limit stops."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.utils.timezone import get_default_timezone

from chatsite.values.money import money
from ledger.booking.budgets import BudgetStatus
from ledger.booking.rates import LimitHit
from ledger.models import Budget, Period, Scope, Unit

PERIODS: Final = {Period.DAY.value: "daily", Period.MONTH.value: "monthly"}


def describe_exhausted(status: BudgetStatus) -> str:
    """Names the budget, how much of it is used, and when it renews."""
    name = name_for_payer(status.budget)
    if status.is_spent:
        return f"{name} is used up: {format_use(status)}. {describe_renewal(status)}"
    held = format_amount(status.budget, status.reserved_amount)
    return (
        f"The rest of {name[0].lower()}{name[1:]} is reserved: {format_use(status)} is used, and {held} is reserved "
        "for running answers. "
        f"Try again when they have finished. {describe_renewal(status)}"
    )


def describe_nearly_exhausted(status: BudgetStatus) -> str:
    if status.is_spent:
        return describe_exhausted(status)
    name = name_for_payer(status.budget)
    share = f"{status.percent}\N{NO-BREAK SPACE}% of {name[0].lower()}{name[1:]} is used"
    return f"{share}: {format_use(status)}. {describe_renewal(status)}"


def describe_limit_hit(hit: LimitHit) -> str:
    limit = hit.limit
    whose = "You have" if limit.scope == Scope.PERSON else "This API key has"
    if hit.is_of_streams:
        running = format_count(limit.streams or 0, "running answer")
        return f"{whose} {running}, the maximum. Try again shortly."
    asked = format_count(limit.requests_a_minute or 0, "request")
    wait = format_count(max(1, round(hit.retry_after)), "second")
    return f"{whose} made {asked} within a minute, the maximum. Try again in {wait}."


def name_for_payer(budget: Budget) -> str:
    """The budget's name as the first words of a sentence to its payer."""
    period = PERIODS[budget.period]
    match budget.scope:
        case Scope.SITE:
            return f"The site's {period} budget"
        case Scope.GROUP:
            return f"Your group's {period} budget"
        case Scope.KEY:
            return f"The API key's {period} budget"
    return f"Your {period} budget"


def format_use(status: BudgetStatus) -> str:
    """$8.30 of $10.00, 830 of 1,000 tokens."""
    budget = status.budget
    spent = format_amount(budget, status.spent_amount).removesuffix(" tokens")
    return f"{spent} of {format_amount(budget, budget.limit)}"


def format_amount(budget: Budget, used: Decimal) -> str:
    return money(used) if budget.unit == Unit.MONEY else f"{used:,.0f} tokens"


def describe_renewal(status: BudgetStatus) -> str:
    """It renews on 1 December."""
    return f"It renews on {format_day(status.renews_at)}."


def format_day(moment: datetime) -> str:
    there = moment.astimezone(get_default_timezone())
    return f"{there.day} {there:%B}"


def format_count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
