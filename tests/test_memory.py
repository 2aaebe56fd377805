"""An idle process returns memory."""

import asyncio
import gc
import weakref

import pytest

from chatsite.process import memory


class Node:
    """Refers to itself, so that only the garbage collector frees it."""

    def __init__(self) -> None:
        self.itself = self


async def test_an_idle_process_collects_its_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "WORTH_IT", 0)
    freed = asyncio.Event()
    gc.disable()
    trimming = asyncio.create_task(memory.trim_when_idle(interval=0.05))
    try:
        node = Node()
        weakref.finalize(node, freed.set)
        del node
        await asyncio.wait_for(freed.wait(), 10)
    finally:
        trimming.cancel()
        gc.enable()
