"""Registered tasks run while the server shuts down."""

import asyncio
import logging

import pytest

from chatsite.serving import shutdown


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    monkeypatch.setattr(shutdown, "_last_acts", [])


async def test_a_registered_task_is_awaited():
    done = []

    async def save() -> None:
        await asyncio.sleep(0)
        done.append("saved")

    shutdown.on_stop(save)
    await shutdown.finish(grace=10)
    assert done == ["saved"]


async def test_a_task_is_cancelled_after_the_grace_period():
    ends = []

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    shutdown.on_stop(never)
    await shutdown.finish(grace=0)
    assert ends == ["cancelled"]


async def test_a_failing_task_is_logged_and_others_run(caplog):
    done = []

    async def fail() -> None:
        raise ValueError("lost")

    async def save() -> None:
        done.append("saved")

    shutdown.on_stop(fail)
    shutdown.on_stop(save)
    with caplog.at_level(logging.ERROR):
        await shutdown.finish(grace=10)
    assert done == ["saved"]
    assert "Something failed while the server stopped" in caplog.text


async def test_without_tasks_the_server_stops_at_once():
    await shutdown.finish(grace=10)
