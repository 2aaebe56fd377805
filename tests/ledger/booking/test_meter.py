"""The usage of a call, read from its events."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.booking.meter import Meter
from upstreams.events import (
    BlockClosed,
    BlockGrew,
    BlockOpened,
    InputGrew,
    ReplyEnded,
    ReplyEvent,
    ReplyStarted,
    Usage,
    UsageReported,
)

STARTED, ENDED = ReplyStarted("msg_1", "clever"), ReplyEnded("end_turn")
OPENED, CLOSED = BlockOpened({"type": "text", "text": ""}), BlockClosed({})
TEXT = BlockGrew("x" * 400)
IMAGE = BlockOpened({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 4000}})


def read(*events: ReplyEvent, prompt: int = 50) -> tuple[Usage, bool]:
    meter = Meter(prompt)
    meter.take(events)
    return meter.usage, meter.is_estimate


@pytest.mark.parametrize(
    ("events", "usage", "is_estimate"),
    [
        # Final reports are taken as they are, wherever they are in the stream.
        ([STARTED, UsageReported(Usage(7, 1)), TEXT, UsageReported(Usage(7, 90)), ENDED], Usage(7, 90), False),
        ([STARTED, UsageReported(Usage(7, 90, 3, 2, 40)), TEXT, ENDED], Usage(7, 90, 3, 2, 40), False),
        # An early report of a stream that broke off does not cover its output.
        ([STARTED, UsageReported(Usage(7, 1)), TEXT], Usage(7, 100), True),
        ([STARTED, UsageReported(Usage(7, 1))], Usage(7, 1), True),
        # A late report of a stream that broke off may count more than the text.
        ([STARTED, TEXT, UsageReported(Usage(7, 300))], Usage(7, 300), True),
        # Reports that are missing or incomplete.
        ([STARTED, OPENED, TEXT, CLOSED, ENDED], Usage(50, 100), True),
        ([STARTED, TEXT, UsageReported(Usage(output_tokens=90)), ENDED], Usage(50, 90), True),
        ([STARTED, TEXT, UsageReported(Usage(7)), ENDED], Usage(7, 100), True),
        ([STARTED, TEXT, UsageReported(Usage(output_tokens=9, cache_read_tokens=30))], Usage(20, 100, 30), True),
        # 400 characters are never one token.
        ([STARTED, UsageReported(Usage(7, 1)), TEXT, ENDED], Usage(7, 100), True),
        # A tool's input is output too, and so is a block that comes whole.
        ([BlockOpened({"type": "tool_use", "input": {}}), InputGrew("y" * 80)], Usage(50, 20), True),
        ([BlockOpened({"type": "text", "text": "z" * 44})], Usage(50, 11), True),
        # An image counts as one of a thousand pixels on each side, whatever its bytes, unless the upstream reports it.
        ([IMAGE, CLOSED, BlockOpened({"type": "text", "text": "z" * 44})], Usage(50, 1334 + 11), True),
        ([IMAGE, CLOSED, UsageReported(Usage(7, 90)), ENDED], Usage(7, 90), False),
        ([], Usage(50, 0), True),
    ],
)
def test_usage_follows_from_the_events(events: Sequence[ReplyEvent], usage: Usage, is_estimate: bool) -> None:
    assert read(*events) == (usage, is_estimate)


counts = st.none() | st.integers(0, 10**6)
reports = st.builds(Usage, counts, counts, counts, counts, counts).map(UsageReported)
events = st.lists(
    st.sampled_from([STARTED, OPENED, CLOSED, ENDED]) | st.text(max_size=50).map(BlockGrew) | reports, max_size=30
)


@given(events, st.data())
def test_usage_does_not_depend_on_the_batches(events: list[ReplyEvent], data: st.DataObject) -> None:
    meter, rest = Meter(50), list(events)
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        meter.take(rest[:cut])
        rest = rest[cut:]
    assert (meter.usage, meter.is_estimate) == read(*events)


@given(events)
def test_input_and_output_are_always_known_and_text_always_counts(events: list[ReplyEvent]) -> None:
    usage, _ = read(*events)
    assert usage.input_tokens is not None and usage.output_tokens is not None
    if any(isinstance(event, BlockGrew) and event.text for event in events):
        assert usage.output_tokens > 0


def test_an_abandoned_attempt_is_added() -> None:
    meter = Meter(50)
    meter.abandon([STARTED, UsageReported(Usage(25, 1))])
    meter.take([STARTED, UsageReported(Usage(25, 10)), TEXT, ENDED])
    assert (meter.usage, meter.is_estimate) == (Usage(50, 11), False)
