"""Waiting has an end, each time anew."""

import asyncio

import pytest

from upstreams.client.patience import Patience


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_comes_in_time_is_returned() -> None:
    patience = Patience()
    for number in range(3):
        assert await patience.wait(soon(5), asyncio.sleep(0.001, number)) == number
    patience.close()


async def test_a_wait_that_runs_out_is_a_timeout_and_not_a_cancellation() -> None:
    patience = Patience()
    with pytest.raises(TimeoutError):
        await patience.wait(soon(0.01), asyncio.Event().wait())
    task = asyncio.current_task()
    assert task and task.cancelling() == 0


async def test_each_wait_has_its_own_end() -> None:
    patience = Patience()
    for _ in range(4):
        await patience.wait(soon(60), asyncio.sleep(0))
    with pytest.raises(TimeoutError):
        await patience.wait(soon(0.03), asyncio.Event().wait())
    await patience.wait(soon(60), asyncio.sleep(0))


async def test_a_shorter_wait_after_a_longer_one_ends_in_time() -> None:
    patience = Patience()
    await patience.wait(soon(60), asyncio.sleep(0))
    with pytest.raises(TimeoutError):
        await patience.wait(soon(0.01), asyncio.sleep(5))


async def test_time_between_two_waits_does_not_count() -> None:
    patience = Patience()
    await patience.wait(soon(0.01), asyncio.sleep(0))
    await asyncio.sleep(0.03)
    assert await patience.wait(soon(1), asyncio.sleep(0.001, "in time")) == "in time"


async def test_a_cancellation_from_outside_stays_one() -> None:
    patience = Patience()
    waiting = asyncio.create_task(patience.wait(soon(5), asyncio.sleep(5)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
