"""The steps of a scripted answer of the tests' model server."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EVENT_STREAM = "text/event-stream; charset=utf-8"


class Gate:
    """A step of a script: waits until the test opens the gate."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._is_open = False
        self._opened = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        self._is_open = True
        if self._loop:
            self._loop.call_soon_threadsafe(self._opened.set)

    async def wait(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.reached.set()
        if not self._is_open:
            await self._opened.wait()


class Abort:
    """A step of a script: resets the connection."""


class Hang:
    """A step of a script: sends nothing until the client disconnects."""


@dataclass(frozen=True)
class Pause:
    """A step of a script: sends nothing for a while."""

    seconds: float = 0.01


type Step = bytes | Gate | Pause | Abort | Hang


@dataclass(frozen=True)
class Answer:
    """The answer to one request: a head, then the steps of its body, one chunk each."""

    steps: Sequence[Step]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": EVENT_STREAM})
    before: Sequence[Step] = ()
    """Steps to take before sending the head."""
    length: int | None = None
    """The content-length to send. None sends a chunked body."""
