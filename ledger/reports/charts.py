"""Usage over time as a bar chart: positions and heights for an SVG that the style sheet colours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from chatsite.values.figures import thousands
from chatsite.values.money import money
from ledger.models import Period
from ledger.reports.url_parameters import Measure, UsageQuery
from ledger.reports.usage import Bucket, Figures

STEP: Final = 10
"""The width of a bar with its gap, in units of the drawing. The drawing is 100 high."""
MAX_TICKS: Final = 12
DAYS_PER_WEEK: Final = 7
STEPS: Final = [Decimal(step) for step in ("1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "8", "10")]
"""Round figures. The scale ends at one of them, times a power of ten."""

KINDS: Final[dict[Measure, list[tuple[str, Callable[[Figures], Decimal | int]]]]] = {
    Measure.COST: [("Cost", lambda figures: figures.cost)],
    Measure.CALLS: [("Calls", lambda figures: figures.calls)],
    Measure.TOKENS: [
        ("Output", lambda figures: figures.output_tokens),
        ("Input", lambda figures: figures.input_tokens + figures.cache_write_tokens),
        ("Read from cache", lambda figures: figures.cache_read_tokens),
    ],
}


@dataclass(frozen=True, slots=True)
class BarSegment:
    """A segment of a bar. `number` is that of its kind."""

    number: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    bucket: Bucket
    name: str
    tick: str
    x: float
    value: str
    parts: list[BarSegment]
    address: str


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    kinds: list[str]
    top: str
    middle: str

    @property
    def width(self) -> int:
        return STEP * len(self.bars)


def draw_chart(buckets: Sequence[Bucket], measure: Measure, query: UsageQuery) -> Chart:
    kinds = KINDS[measure]
    highest = max((measure_total(bucket.figures, measure) for bucket in buckets), default=Decimal(0))
    top = round_up(highest)
    every = 1 if len(buckets) <= MAX_TICKS else DAYS_PER_WEEK
    bars = [
        Bar(
            bucket=bucket,
            name=name_bucket(bucket, query),
            tick=name_tick(bucket, query) if index % every == (every // 2) else "",
            x=index * STEP + STEP * 0.15,
            value=format_value(measure_total(bucket.figures, measure), measure),
            parts=draw_segments(bucket.figures, measure, top),
            address=query.url(on=format_date(bucket, query), by=query.dimensions[0]),
        )
        for index, bucket in enumerate(buckets)
    ]
    return Chart(bars, [name for name, _ in kinds], format_tick(top, measure), format_tick(top / 2, measure))


def draw_segments(figures: Figures, measure: Measure, top: Decimal) -> list[BarSegment]:
    """The segments from the bottom up."""
    found, ground = [], 100.0
    for number, (_, figure_of) in enumerate(KINDS[measure]):
        if figure := figure_of(figures):
            height = float(100 * Decimal(figure) / top)
            ground -= height
            found.append(BarSegment(number, round(ground, 2), round(height, 2)))
    return found


def measure_total(figures: Figures, measure: Measure) -> Decimal:
    return Decimal(sum(figure_of(figures) for _, figure_of in KINDS[measure]))


def round_up(highest: Decimal) -> Decimal:
    """The next round figure, which ends the scale."""
    if not highest:
        return Decimal(1)
    power = Decimal(10) ** highest.adjusted()
    return next(power * step for step in STEPS if power * step >= highest)


def format_tick(figure: Decimal, measure: Measure) -> str:
    if measure is Measure.COST:
        return money(figure)
    return thousands(int(figure)) if figure == figure.to_integral_value() else ""


def format_value(figure: Decimal, measure: Measure) -> str:
    if measure is Measure.COST:
        return money(figure)
    return f"{figure:,.0f} {measure if figure != 1 else measure.removesuffix('s')}"


def name_bucket(bucket: Bucket, query: UsageQuery) -> str:
    start = bucket.start
    return f"{start:%B %Y}" if query.range.span is Period.MONTH else f"{start:%a} {start.day} {start:%B %Y}"


def name_tick(bucket: Bucket, query: UsageQuery) -> str:
    if query.range.span is Period.MONTH:
        return f"{bucket.start:%b}"
    return f"{bucket.start:%a}" if query.range.days <= DAYS_PER_WEEK else f"{bucket.start.day} {bucket.start:%b}"


def format_date(bucket: Bucket, query: UsageQuery) -> str:
    return f"{bucket.start:%Y-%m}" if query.range.span is Period.MONTH else bucket.start.isoformat()
