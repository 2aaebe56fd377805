"""A fast stream as a few batches: soon, whole, in order, and ended with whoever reads it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from conversations.pacing import paced

LONG = 3600.0
"""Longer than a test may take: a batch that waited for it never comes."""


class Source:
    """Events that come when the test says so; `closed` is set when nobody reads them any more."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.waiting = asyncio.Event()
        self._events: asyncio.Queue[int | Exception | None] = asyncio.Queue()

    def say(self, *events: int | Exception | None) -> None:
        """None ends the stream; an exception breaks it."""
        for event in events:
            self._events.put_nowait(event)

    async def read(self) -> AsyncIterator[int]:
        try:
            while True:
                if self._events.empty():
                    self.waiting.set()
                event = await self._events.get()
                if event is None:
                    return
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.closed.set()


async def test_the_first_words_do_not_wait() -> None:
    source = Source()
    source.say(1)
    async with aclosing(paced(source.read(), interval=LONG)) as batches:
        assert await anext(batches) == [1]


async def test_what_comes_in_the_meantime_comes_together() -> None:
    source = Source()
    source.say(1)
    async with aclosing(paced(source.read(), interval=LONG)) as batches:
        await anext(batches)
        source.waiting.clear()
        source.say(2, 3, 4)
        await source.waiting.wait()
        # The end of the stream ends the wait for the next batch.
        source.say(None)
        assert await anext(batches) == [2, 3, 4]
        with pytest.raises(StopAsyncIteration):
            await anext(batches)


@pytest.mark.parametrize("interval", [0, 0.001, LONG])
async def test_nothing_is_lost_or_changes_places(interval: float) -> None:
    source = Source()
    source.say(*range(500), None)
    batches = [batch async for batch in paced(source.read(), interval)]
    assert [event for batch in batches for event in batch] == list(range(500))
    assert all(batches)


async def test_a_slow_stream_is_passed_on_as_it_comes() -> None:
    source = Source()
    async with aclosing(paced(source.read(), interval=0.001)) as batches:
        for event in range(5):
            source.say(event)
            assert await anext(batches) == [event]


async def test_a_failure_comes_after_everything_that_came_before_it() -> None:
    source = Source()
    source.say(1, 2, 3, ConnectionError("cut"))
    seen: list[int] = []
    with pytest.raises(ConnectionError, match="cut"):
        async for batch in paced(source.read()):
            seen += batch
    assert seen == [1, 2, 3]


async def test_a_stream_of_nothing_is_no_batch() -> None:
    source = Source()
    source.say(None)
    assert [batch async for batch in paced(source.read())] == []


async def test_who_stops_reading_closes_the_stream_while_it_waits() -> None:
    source = Source()
    source.say(1)
    batches = paced(source.read())
    assert await anext(batches) == [1]
    await source.waiting.wait()
    await batches.aclose()
    assert source.closed.is_set()


async def test_a_reader_who_is_cancelled_in_its_wait_closes_the_stream() -> None:
    source = Source()
    passed_on = asyncio.Event()

    async def read() -> None:
        async with aclosing(paced(source.read(), interval=LONG)) as batches:
            async for _ in batches:
                passed_on.set()

    reader = asyncio.create_task(read())
    source.say(1)
    await passed_on.wait()
    await source.waiting.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.closed.is_set()


async def test_who_stops_before_the_first_word_closes_the_stream_too() -> None:
    source = Source()
    reader = asyncio.create_task(anext(paced(source.read())))
    await source.waiting.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.closed.is_set()
