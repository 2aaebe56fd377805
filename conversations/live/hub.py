"""Hands each frame to all viewers: to those of this process through bounded queues, to others over the bus."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import orjson

from chatsite.failures.failure_log import FailureLog
from chatsite.process.threads import running_loop

if TYPE_CHECKING:
    from chatsite.process.bus import Bus

refusals = FailureLog("Using messages of other processes")

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

    drops: ClassVar[int] = 0
    """How often any viewer of this process has fallen behind its queue."""

    def __init__(self, topics: Iterable[str], queue_length: int = QUEUE_LENGTH) -> None:
        self.topics = frozenset(topics)
        self.fell_behind = False
        self._frames: deque[Frame] = deque()
        self._room = queue_length
        self._news = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        if len(self._frames) >= self._room:
            Viewer.drops += 1
            self._frames.clear()
            self.fell_behind = True
        self._frames.append(frame)
        self._news.set()

    def mark_behind(self) -> None:
        self.fell_behind = True
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
        self.bus: Bus | None = None
        """The way to the other processes, if there can be any. The hub is its audience."""
        self.delivered = 0
        """Frames so far that any viewer of this process got."""
        self._viewers: dict[str, set[Viewer]] = {}
        self._listeners: dict[str, Callable[..., None]] = {}
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

    def count_viewers(self) -> int:
        return len(set().union(*self._viewers.values()))

    def publish(self, topic: str, frame: Frame) -> None:
        """Delivers the frames of one thread in the order in which they were published."""
        if self._loop is not None and topic in self._viewers and not self._loop.is_closed():
            if running_loop() is self._loop:
                self._deliver(topic, frame)
            else:
                self._loop.call_soon_threadsafe(self._deliver, topic, frame)
        if self.bus is not None:
            self.bus.send(topic, orjson.dumps([*frame]))

    def tell(self, topic: str, *values: Any) -> None:
        """Calls the other processes' listeners to this topic. The values are of JSON's types."""
        if self.bus is not None:
            self.bus.send(topic, orjson.dumps(values))

    def listen(self, topic: str, listener: Callable[..., None]) -> None:
        """Calls `listener` on the event loop whenever another process tells something on this topic."""
        self._listeners[topic] = listener

    def wants(self, topic: str) -> bool:
        return topic in self._viewers or topic in self._listeners

    def receive(self, topic: str, payload: bytes) -> None:
        """Takes in a message from another process."""
        try:
            values = orjson.loads(payload)
            if listener := self._listeners.get(topic):
                listener(*values)
            else:
                self._deliver(topic, Frame(*values))
        except Exception as error:
            # For example, another release has other fields, in all of its frames.
            refusals.note_failure(error)
            for viewer in self._viewers.get(topic, ()):
                viewer.mark_behind()

    def mark_behind(self) -> None:
        for viewer in set().union(*self._viewers.values()):
            viewer.mark_behind()

    def _deliver(self, topic: str, frame: Frame) -> None:
        self.delivered += 1
        for viewer in self._viewers.get(topic, ()):
            viewer.offer(frame)


hub = Hub()


def conversation_topic(pk: int) -> str:
    return f"conversation:{pk}"


def person_topic(pk: int) -> str:
    return f"person:{pk}"
