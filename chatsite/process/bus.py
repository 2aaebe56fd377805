"""Carries messages between the processes of an installation, over one channel of Redis.

A process sends what it has once in a `TICK`, as one message, and at least one in each `BEAT`. It numbers its messages,
also those that it fails to send, so the others notice any loss. A process that does not hear its own messages in time
is deaf: it connects again, which also discards what waited for it meanwhile.

Messages carry HTML for pages, so they are signed: Redis may be open to others.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final, NamedTuple, Protocol

import orjson
import redis
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac
from redis.asyncio.client import PubSub, Redis
from redis.asyncio.retry import Retry as PatientRetry
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from chatsite.failures.failure_log import FailureLog
from chatsite.process.threads import running_loop

TICK: Final = 0.025
BEAT: Final = 1.0
DEAF: Final = 3.0
"""Seconds after which a process that does not hear itself is deaf, and another that it does not hear is gone."""
PAUSE: Final = 0.25
"""Seconds between two attempts to connect."""
LONGEST_MESSAGE: Final = 8_000_000
"""Bytes. Redis disconnects a listener whose waiting messages exceed 32 MB."""
OUTBOX: Final = 32_000_000
"""Bytes that can wait to be sent."""
SIGNATURE: Final = 16

REFUSALS: Final = (redis.AuthenticationError, redis.ResponseError, redis.InvalidResponse, TypeError)
"""What Redis says to a wrong password or database, another program than Redis, or the client to an unknown option."""

failures = FailureLog("The connection to Redis")
refusals = FailureLog("Reading messages of other processes")


class Audience(Protocol):
    """The recipients in this process. The event loop calls them."""

    def wants(self, topic: str) -> bool: ...
    def receive(self, topic: str, payload: bytes) -> None: ...
    def mark_behind(self) -> None:
        """Something may have been lost."""


class Deaf(ConnectionError):
    """This process does not hear its own messages in time."""


class Foreign(OSError):
    """No process of this installation has sent the message."""


class Heading(NamedTuple):
    sender: int
    number: int
    """Counts the sender's messages from 1 without gaps."""
    sent_at: float
    """On the sender's monotonic clock; 0 in its last message."""


class Bus:
    """One process's end of the bus. `send` may be called from any thread, also in a process that never starts it."""

    def __init__(self, url: str, channel: str, key: bytes, audience: Audience) -> None:
        self._url, self._channel, self._key, self._audience = url, channel, key, audience
        self._sender, self._number = secrets.randbits(62), 0
        self._outbox: deque[tuple[str, bytes]] = deque()
        self._waiting = 0
        """Bytes in the outbox."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._others: dict[int, tuple[int, float]] = {}
        """By sender: the number of its latest message, and when it was heard."""
        self._heard_self_at = 0.0
        self.lag = 0.0
        """Seconds that this process's latest message took to come back."""

    @property
    def hears_itself(self) -> bool:
        """Whether its messages pass through Redis in time."""
        return time.monotonic() - self._heard_self_at < DEAF

    async def start(self) -> None:
        """Raises ImproperlyConfigured if Redis refuses its settings. Without Redis, it starts and tries again."""
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        self._redis = Redis.from_url(self._url, **connection_options(PatientRetry))
        try:
            await self._send_message([])
        except REFUSALS as error:
            self._loop = None
            raise ImproperlyConfigured(f"Redis cannot be used with this REDIS_URL: {error}") from error
        except Exception as error:
            note_failure(error)
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._speak())]

    async def stop(self) -> None:
        """Sends what waits, and says goodbye: otherwise, the others would suspect a loss."""
        if self._loop is None:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._outbox and await self._publish():
            pass
        await self._publish(is_last=True)
        self._loop = None
        await self._redis.aclose()

    def send(self, topic: str, payload: bytes) -> None:
        """Sends to the other processes, in order for each thread. What cannot be sent in time is lost."""
        if self._loop is None or self._loop.is_closed():
            self._send_alone(topic, payload)
        elif self._loop is running_loop():
            self._put(topic, payload)
        else:
            self._loop.call_soon_threadsafe(self._put, topic, payload)

    def _send_alone(self, topic: str, payload: bytes) -> None:
        """The way of commands, which have no loop that could send later."""
        message = self._encode(Heading(secrets.randbits(62), 1, 0), [(topic, payload)])
        try:
            with redis.Redis.from_url(self._url, **connection_options(Retry)) as client:
                client.publish(self._channel, message)
        except (redis.RedisError, OSError) as error:
            note_failure(error)

    def _put(self, topic: str, payload: bytes) -> None:
        if self._waiting + len(payload) > OUTBOX:
            self._outbox.clear()
            self._waiting = 0
            self._number += 1
        if len(payload) > LONGEST_MESSAGE:
            self._number += 1
        else:
            self._outbox.append((topic, payload))
            self._waiting += len(payload)
        self._news.set()

    # ------------------------------------------------------------ sending

    async def _speak(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await self._news.wait()
            self._news.clear()
            is_sent = await self._publish()
            if self._outbox:
                self._news.set()
            await asyncio.sleep(TICK if is_sent else PAUSE)

    async def _publish(self, *, is_last: bool = False) -> bool:
        items, size = [], 0
        while self._outbox and size + len(self._outbox[0][1]) <= LONGEST_MESSAGE:
            items.append(self._outbox.popleft())
            size += len(items[-1][1])
        self._waiting -= size
        try:
            await self._send_message(items, is_last=is_last)
        except Exception as error:
            note_failure(error)
            return False
        return True

    async def _send_message(self, items: Sequence[tuple[str, bytes]], *, is_last: bool = False) -> None:
        self._number += 1
        heading = Heading(self._sender, self._number, 0 if is_last else time.monotonic())
        await self._redis.publish(self._channel, self._encode(heading, items))

    def _encode(self, heading: Heading, items: Sequence[tuple[str, bytes]]) -> bytes:
        contents = [(topic, len(payload)) for topic, payload in items]
        body = b"\n".join([orjson.dumps([[*heading], contents]), b"".join(payload for _, payload in items)])
        return self._sign(body) + body

    def _sign(self, body: bytes | memoryview) -> bytes:
        return blake2b(body, key=self._key, digest_size=SIGNATURE).digest()

    # ------------------------------------------------------------ listening

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as ear:
                    await ear.subscribe(self._channel)
                    await self._hear(ear)
            except Exception as error:
                # The bus outlives any error, also one of its own.
                note_failure(error)
            await asyncio.sleep(PAUSE)

    async def _hear(self, ear: PubSub) -> None:
        self._heard_self_at = time.monotonic()
        while True:
            message = await ear.get_message(timeout=BEAT)
            # Before the message is read: after this process was stopped, it is the first of a backlog.
            if time.monotonic() - self._heard_self_at > DEAF:
                raise Deaf("this process does not hear its own messages")
            if message is None:
                continue
            if message["type"] == "subscribe":
                self._others.clear()
                self._audience.mark_behind()
                failures.note_success()
            elif message["type"] == "message":
                self._read(message["data"])

    def _read(self, message: bytes) -> None:
        try:
            heading, items = self._decode(message)
            if heading.sender == self._sender:
                self._note_own(heading)
            elif self._is_new(heading):
                for topic, payload in items:
                    self._audience.receive(topic, payload)
        except Deaf:
            raise
        except Exception as error:
            # No message may end the listening.
            refusals.note_failure(error)

    def _decode(self, message: bytes) -> tuple[Heading, Iterator[tuple[str, bytes]]]:
        """Raises Foreign for a message that no process of this installation has sent."""
        if not compare_digest(message[:SIGNATURE], self._sign(memoryview(message)[SIGNATURE:])):
            raise Foreign("a message has no valid signature")
        end = message.index(b"\n", SIGNATURE)
        heading, contents = orjson.loads(message[SIGNATURE:end])
        return Heading(*heading), self._split(message, end + 1, contents)

    def _split(self, message: bytes, start: int, contents: list[Any]) -> Iterator[tuple[str, bytes]]:
        for topic, length in contents:
            if self._audience.wants(topic):
                yield topic, message[start : start + length]
            start += length

    def _note_own(self, heading: Heading) -> None:
        moment = time.monotonic()
        self.lag = moment - heading.sent_at
        if self.lag > DEAF:
            raise Deaf("this process hears messages too late")
        self._heard_self_at = moment
        if gone := [key for key, (_, heard_at) in self._others.items() if moment - heard_at > DEAF]:
            # Their last messages may be lost.
            for key in gone:
                del self._others[key]
            self._audience.mark_behind()

    def _is_new(self, heading: Heading) -> bool:
        """Whether this message has not been heard before. Notices the loss of earlier ones."""
        latest, _ = self._others.get(heading.sender, (0, 0.0))
        if heading.number <= latest:
            return False
        if heading.number > latest + 1:
            self._audience.mark_behind()
        self._others[heading.sender] = (heading.number, time.monotonic())
        if not heading.sent_at:
            del self._others[heading.sender]
        return True


def open_bus(audience: Audience) -> Bus:
    """Returns the bus of this installation: of its secret, and of the database of Redis that the settings name."""
    try:
        database = parse_url(settings.REDIS_URL).get("db", 0)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ImproperlyConfigured(f"An option of REDIS_URL cannot be used ({error})") from error
    channel = salted_hmac("chatsite.bus.channel", str(database), algorithm="sha256").hexdigest()[:16]
    key = salted_hmac("chatsite.bus.key", "", algorithm="sha256").digest()
    return Bus(settings.REDIS_URL, f"chatsite:bus-1:{channel}", key, audience)


def connection_options(retry: Any) -> dict[str, Any]:
    # With retries, a cut listener would not notice what it has missed, and a message could arrive twice.
    return {"retry": retry(NoBackoff(), 0), "socket_timeout": DEAF, "socket_connect_timeout": DEAF}


def note_failure(error: Exception) -> None:
    # Redis's own errors become errors of the operating system, which are logged without a traceback.
    failures.note_failure(ConnectionError(str(error)) if isinstance(error, redis.RedisError) else error)
