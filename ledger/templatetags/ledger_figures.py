"""Formats figures for tables: those in a column have the same number of decimals and can be compared at a glance."""

from decimal import Decimal

from django import template

from chatsite.values import figures
from chatsite.values.money import money

register = template.Library()

register.filter("thousands", figures.thousands)
register.filter("money", money)
register.filter("duration", figures.duration)


@register.filter
def whole(count: int) -> str:
    return f"{count:,}"


@register.filter
def tokens(count: Decimal) -> str:
    return f"{count:,.0f} tokens"


@register.filter
def format_cost(cost: Decimal | None) -> str:
    """For a column of costs: hundredths, or – for no known cost."""
    if not cost:
        return "–"
    least = Decimal("0.01")
    return f"under {money(least)}" if cost < least else money(cost)
