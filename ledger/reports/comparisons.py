"""Totals of a time, beside those of the time of the same length before it."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from chatsite.money import money
from ledger.models import Period, UsageSum
from ledger.reports.usage import Figures, Range


@dataclass(frozen=True, slots=True)
class Total:
    """`change` is against the time before, such as "+12 %"; "" where there was nothing then."""

    name: str
    said: str
    was: str
    change: str
    is_estimate: bool = False


def before(range: Range) -> Range:
    last = range.first - timedelta(days=1)
    return Range(last - timedelta(days=range.days - 1), last)


def is_known(range: Range) -> bool:
    """Whether the ledger was kept all that time: to be compared with half of it would tell nothing."""
    return UsageSum.objects.filter(span=Period.DAY, start__lte=range.first).exists()


def totals_shown(figures: Figures, earlier: Figures) -> list[Total]:
    has_estimates = figures.estimated_calls > 0
    return [
        Total(
            "Cost",
            money(figures.cost) if figures.cost else "–",
            money(earlier.cost),
            change(figures.cost, earlier.cost),
            has_estimates and figures.cost > 0,
        ),
        counted("Tokens", figures.tokens, earlier.tokens, has_estimates),
        counted("Calls", figures.calls, earlier.calls),
        counted("Failed", figures.failed_calls, earlier.failed_calls),
    ]


def counted(name: str, count: int, earlier: int, is_estimate: bool = False) -> Total:
    return Total(name, f"{count:,}", f"{earlier:,}", change(Decimal(count), Decimal(earlier)), is_estimate)


def change(figure: Decimal, earlier: Decimal) -> str:
    if not earlier:
        return ""
    percent = round(100 * (figure - earlier) / earlier)
    sign = "+" if percent > 0 else "\N{MINUS SIGN}" if percent < 0 else "±"
    return f"{sign}{abs(percent):,}\N{NO-BREAK SPACE}%"
