"""The totals of a range compared with those of the equally long range before it."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from chatsite.values.money import money
from ledger.models import Period, UsageSum
from ledger.reports.usage import DateRange, Figures


@dataclass(frozen=True, slots=True)
class ComparedTotal:
    """`change` is relative to the earlier range, such as "+12 %"; "" if that had none."""

    name: str
    value: str
    before: str
    change: str
    is_estimate: bool = False


def range_before(dates: DateRange) -> DateRange:
    last = dates.first - timedelta(days=1)
    return DateRange(last - timedelta(days=dates.days - 1), last)


def is_covered(dates: DateRange) -> bool:
    """Whether the ledger covers the whole range. A comparison with half of it would mislead."""
    return UsageSum.objects.filter(span=Period.DAY, start__lte=dates.first).exists()


def compare_totals(figures: Figures, earlier: Figures) -> list[ComparedTotal]:
    has_estimates = figures.estimated_calls > 0
    return [
        ComparedTotal(
            "Cost",
            money(figures.cost) if figures.cost else "–",
            money(earlier.cost),
            format_change(figures.cost, earlier.cost),
            has_estimates and figures.cost > 0,
        ),
        compare_counts("Tokens", figures.tokens, earlier.tokens, has_estimates),
        compare_counts("Calls", figures.calls, earlier.calls),
        compare_counts("Failed", figures.failed_calls, earlier.failed_calls),
    ]


def compare_counts(name: str, count: int, earlier: int, is_estimate: bool = False) -> ComparedTotal:
    return ComparedTotal(
        name, f"{count:,}", f"{earlier:,}", format_change(Decimal(count), Decimal(earlier)), is_estimate
    )


def format_change(figure: Decimal, earlier: Decimal) -> str:
    if not earlier:
        return ""
    percent = round(100 * (figure - earlier) / earlier)
    sign = "+" if percent > 0 else "\N{MINUS SIGN}" if percent < 0 else "±"
    return f"{sign}{abs(percent):,}\N{NO-BREAK SPACE}%"
