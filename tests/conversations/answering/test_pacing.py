"""A paced stream starts at once, loses nothing, keeps its order and ends with its reader."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from conversations.answering.pacing import paced

LONG = 3600.0
"""Longer than a test may take: a batch that waited for it would never come."""


class Source:
    """Events that come when the test says so. Each read takes all of them that have come.

    `closed` is set once its reader has closed it.
    """

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.waiting = asyncio.Event()
        self._news = asyncio.Event()
        self._events: list[int] = []
        self._end: Exception | None = None
        self._ended = False

    def say(self, *events: int) -> None:
        self._events += events
        self._news.set()

    def end(self, failure: Exception | None = None) -> None:
        self._ended, self._end = True, failure
        self._news.set()

    async def read(self) -> AsyncGenerator[list[int]]:
        try:
            while self._events or not self._ended:
                if not self._events:
                    self.waiting.set()
                    self._news.clear()
                    await self._news.wait()
                if self._events:
                    batch, self._events = self._events, []
                    yield batch
            if self._end:
                raise self._end
        finally:
            self.closed.set()


async def test_the_first_words_do_not_wait() -> None:
    source = Source()
    source.say(1)
    async with aclosing(paced(source.read(), interval=LONG)) as batches:
        assert await anext(batches) == [1]


async def test_pieces_of_one_interval_come_together() -> None:
    source = Source()
    source.say(1)
    async with aclosing(paced(source.read(), interval=0.01)) as batches:
        assert await anext(batches) == [1]
        following = asyncio.ensure_future(anext(batches))
        for event in (2, 3, 4):
            await asyncio.sleep(0)
            source.say(event)
        assert await following == [2, 3, 4]


@pytest.mark.parametrize("interval", [0, 0.001])
async def test_nothing_is_lost_or_reordered(interval: float) -> None:
    source = Source()

    async def speak() -> None:
        for number in range(500):
            source.say(number)
            await asyncio.sleep(0)
        source.end()

    speaking = asyncio.ensure_future(speak())
    batches = [batch async for batch in paced(source.read(), interval)]
    await speaking
    assert [event for batch in batches for event in batch] == list(range(500))
    assert all(batches)


async def test_a_slow_stream_is_passed_on_as_it_comes() -> None:
    source = Source()
    async with aclosing(paced(source.read(), interval=0.001)) as batches:
        for event in range(5):
            source.say(event)
            assert await anext(batches) == [event]


async def test_a_failure_comes_after_all_earlier_pieces() -> None:
    source = Source()
    source.say(1, 2, 3)
    source.end(ConnectionError("cut"))
    seen: list[int] = []
    with pytest.raises(ConnectionError, match="cut"):
        async for batch in paced(source.read()):
            seen += batch
    assert seen == [1, 2, 3]


async def test_an_empty_stream_yields_no_batch() -> None:
    source = Source()
    source.end()
    assert [batch async for batch in paced(source.read())] == []


async def test_a_reader_that_stops_closes_the_stream() -> None:
    source = Source()
    source.say(1)
    batches = paced(source.read())
    assert await anext(batches) == [1]
    await batches.aclose()
    assert source.closed.is_set()


async def test_a_reader_that_is_cancelled_between_two_batches_closes_the_stream() -> None:
    source = Source()
    passed_on = asyncio.Event()

    async def read() -> None:
        async with aclosing(paced(source.read(), interval=LONG)) as batches:
            async for _ in batches:
                passed_on.set()

    reader = asyncio.create_task(read())
    source.say(1)
    await passed_on.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.closed.is_set()


async def test_a_reader_that_stops_before_the_first_word_closes_the_stream_too() -> None:
    source = Source()
    reader = asyncio.create_task(anext(paced(source.read())))
    await source.waiting.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert source.closed.is_set()
