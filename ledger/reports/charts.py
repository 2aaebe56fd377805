"""Usage over time as bars: where each of them stands and how high it is, for an SVG without any style of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from chatsite.figures import thousands
from chatsite.money import money
from ledger.models import Period
from ledger.reports.lookups import Lookup, Measure
from ledger.reports.usage import Bucket, Figures

STEP: Final = 10
"""The width of a bar and the gap beside it, in units of the drawing, whose height is 100."""
MOST_TICKS: Final = 12
DAYS_OF_A_WEEK: Final = 7
STEPS: Final = [Decimal(step) for step in ("1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "8", "10")]
"""Round figures, of which one, times a power of ten, ends the scale."""

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
class Part:
    """A stretch of a bar, of the kind with this number."""

    number: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    bucket: Bucket
    name: str
    tick: str
    x: float
    said: str
    parts: list[Part]
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


def chart(buckets: Sequence[Bucket], measure: Measure, look: Lookup) -> Chart:
    kinds = KINDS[measure]
    highest = max((total(bucket.figures, measure) for bucket in buckets), default=Decimal(0))
    top = ceiling(highest)
    every = 1 if len(buckets) <= MOST_TICKS else DAYS_OF_A_WEEK
    bars = [
        Bar(
            bucket=bucket,
            name=name_of(bucket, look),
            tick=tick_of(bucket, look) if index % every == (every // 2) else "",
            x=index * STEP + STEP * 0.15,
            said=said(total(bucket.figures, measure), measure),
            parts=parts(bucket.figures, measure, top),
            address=look.address(on=on_of(bucket, look), by=next(iter(look.dimensions))),
        )
        for index, bucket in enumerate(buckets)
    ]
    return Chart(bars, [name for name, _ in kinds], axis(top, measure), axis(top / 2, measure))


def parts(figures: Figures, measure: Measure, top: Decimal) -> list[Part]:
    """From the ground up."""
    found, ground = [], 100.0
    for number, (_, figure_of) in enumerate(KINDS[measure]):
        if figure := figure_of(figures):
            height = float(100 * Decimal(figure) / top)
            ground -= height
            found.append(Part(number, round(ground, 2), round(height, 2)))
    return found


def total(figures: Figures, measure: Measure) -> Decimal:
    return Decimal(sum(figure_of(figures) for _, figure_of in KINDS[measure]))


def ceiling(highest: Decimal) -> Decimal:
    """The next round figure, for the end of the scale."""
    if not highest:
        return Decimal(1)
    power = Decimal(10) ** highest.adjusted()
    return next(power * step for step in STEPS if power * step >= highest)


def axis(figure: Decimal, measure: Measure) -> str:
    if measure is Measure.COST:
        return money(figure)
    return thousands(int(figure)) if figure == figure.to_integral_value() else ""


def said(figure: Decimal, measure: Measure) -> str:
    if measure is Measure.COST:
        return money(figure)
    return f"{figure:,.0f} {measure if figure != 1 else measure.removesuffix('s')}"


def name_of(bucket: Bucket, look: Lookup) -> str:
    start = bucket.start
    return f"{start:%B %Y}" if look.range.span is Period.MONTH else f"{start:%a} {start.day} {start:%B %Y}"


def tick_of(bucket: Bucket, look: Lookup) -> str:
    if look.range.span is Period.MONTH:
        return f"{bucket.start:%b}"
    return f"{bucket.start:%a}" if look.range.days <= DAYS_OF_A_WEEK else f"{bucket.start.day} {bucket.start:%b}"


def on_of(bucket: Bucket, look: Lookup) -> str:
    return f"{bucket.start:%Y-%m}" if look.range.span is Period.MONTH else bucket.start.isoformat()
