"""Hands each frame to all viewers of this process, through bounded queues."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

QUEUE_LENGTH = 256
"""Frames that can wait for a viewer, about ten seconds of a reply. A viewer that is further behind catches up."""


class Frame(NamedTuple):
    """One update for viewers. It is a named tuple because a frozen dataclass takes four times as long to make.

    The frames of a running reply have its relay's key and a `seq` that counts
    from 1 without gaps. The last of them, and every other frame of a
    conversation, has the `revision` that it brings; it is 0 outside
    conversations. A frame about a message names its branch, because a tab may
    show another one. A frame with a revision and nothing else is the last one
    of that revision.
    """

    html: str
    relay: int = 0
    seq: int = 0
    revision: int = 0
    branch: int = 0
    message: int = 0
    must_catch_up: bool = False
    """The change cannot be sent on its own: viewers that show the message catch up instead."""


CHECK_AGAIN = Frame("")
"""Published to a person's topic. Each of their tabs then checks at once whether it still has access."""


class Viewer:
    """The queue of a tab. `fell_behind` means that frames were dropped and the tab has to catch up."""

    def __init__(self, topics: Iterable[str], queue_length: int = QUEUE_LENGTH) -> None:
        self.topics = frozenset(topics)
        self.fell_behind = False
        self._frames: deque[Frame] = deque()
        self._room = queue_length
        self._news = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        if len(self._frames) >= self._room:
            self._frames.clear()
            self.fell_behind = True
        self._frames.append(frame)
        self._news.set()

    async def take(self) -> list[Frame]:
        """Waits for frames, then returns all that are queued."""
        await self._news.wait()
        self._news.clear()
        taken = list(self._frames)
        self._frames.clear()
        return taken


class Hub:
    """Topics and their viewers. One event loop owns it; `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._viewers: dict[str, set[Viewer]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def join(self, *topics: str) -> Viewer:
        self._loop = asyncio.get_running_loop()
        viewer = Viewer(topics)
        for topic in viewer.topics:
            self._viewers.setdefault(topic, set()).add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        for topic in viewer.topics:
            listeners = self._viewers.get(topic, set())
            listeners.discard(viewer)
            if not listeners:
                self._viewers.pop(topic, None)

    def publish(self, topic: str, frame: Frame) -> None:
        """Delivers the frames of one thread in the order in which they were published."""
        if self._loop is None or self._loop.is_closed() or topic not in self._viewers:
            return
        if running_loop() is self._loop:
            self._deliver(topic, frame)
        else:
            self._loop.call_soon_threadsafe(self._deliver, topic, frame)

    def _deliver(self, topic: str, frame: Frame) -> None:
        for viewer in self._viewers.get(topic, ()):
            viewer.offer(frame)


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


hub = Hub()


def conversation_topic(pk: int) -> str:
    return f"conversation:{pk}"


def person_topic(pk: int) -> str:
    return f"person:{pk}"
