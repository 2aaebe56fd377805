"""Each wait has its own deadline."""

import asyncio

import pytest

from upstreams.client.deadline import Deadline


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_wait_returns_its_result() -> None:
    deadline = Deadline()
    for number in range(3):
        assert await deadline.wait(soon(5), asyncio.sleep(0.001, number)) == number
    deadline.close()


async def test_an_expired_wait_is_a_timeout_and_not_a_cancellation() -> None:
    deadline = Deadline()
    with pytest.raises(TimeoutError):
        await deadline.wait(soon(0.01), asyncio.Event().wait())
    task = asyncio.current_task()
    assert task and task.cancelling() == 0


async def test_each_wait_has_its_own_deadline() -> None:
    deadline = Deadline()
    for _ in range(4):
        await deadline.wait(soon(60), asyncio.sleep(0))
    with pytest.raises(TimeoutError):
        await deadline.wait(soon(0.03), asyncio.Event().wait())
    await deadline.wait(soon(60), asyncio.sleep(0))


async def test_a_shorter_wait_after_a_longer_one_expires_in_time() -> None:
    deadline = Deadline()
    await deadline.wait(soon(60), asyncio.sleep(0))
    with pytest.raises(TimeoutError):
        await deadline.wait(soon(0.01), asyncio.sleep(5))


async def test_time_between_two_waits_does_not_count() -> None:
    deadline = Deadline()
    await deadline.wait(soon(0.01), asyncio.sleep(0))
    await asyncio.sleep(0.03)
    assert await deadline.wait(soon(1), asyncio.sleep(0.001, "in time")) == "in time"


async def test_a_cancellation_from_outside_stays_one() -> None:
    deadline = Deadline()
    waiting = asyncio.create_task(deadline.wait(soon(5), asyncio.sleep(5)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
