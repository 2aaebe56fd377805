"""Every viewer in every process gets all frames in order, or learns that some are missing."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from redis import Redis

from chatsite.process import bus
from chatsite.process.bus import Bus, open_bus
from conversations.live import hub as live
from conversations.live.hub import Frame, Hub, Viewer
from tests.redis_server import RedisServer

KEY = b"k" * 32
PATIENCE = 20.0


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.kill()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that the test may kill."""
    server = RedisServer()
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def fresh_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("failures", "refusals"):
        monkeypatch.setattr(bus, name, bus.FailureLog(name))
    monkeypatch.setattr(live, "refusals", bus.FailureLog("unused"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can wait for."""
    monkeypatch.setattr(bus, "BEAT", 0.1)
    monkeypatch.setattr(bus, "DEAF", 1.0)
    monkeypatch.setattr(bus, "PAUSE", 0.05)


def hub_at(server: RedisServer, channel: str = "chatsite:test", key: bytes = KEY) -> Hub:
    hub = Hub()
    hub.bus = Bus(server.url, channel, key, hub)
    return hub


@asynccontextmanager
async def processes(server: RedisServer, count: int = 2) -> AsyncIterator[list[Hub]]:
    """Hubs that hear one another, as if each were in a process of its own."""
    hubs = [hub_at(server) for _ in range(count)]
    for hub in hubs:
        await bus_of(hub).start()
    async with asyncio.timeout(PATIENCE):
        for hub in hubs:
            await until(lambda hub=hub: len(bus_of(hub)._others) == count - 1)
    yield hubs
    for hub in hubs:
        await bus_of(hub).stop()


def bus_of(hub: Hub) -> Bus:
    assert hub.bus is not None
    return hub.bus


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 (conditions of all kinds)
            await asyncio.sleep(0.01)


async def take(viewer: Viewer, last: str) -> list[str]:
    """Takes frames until this one has come."""
    taken: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while last not in taken:
            taken += [frame.html for frame in await viewer.take()]
    return taken


async def test_all_processes_get_all_frames_once_and_in_order(shared_redis: RedisServer) -> None:
    frames = [Frame(f"{number} ü", 2**62, number, 7, 8, 9, True) for number in range(200)]
    async with processes(shared_redis, 3) as hubs:
        viewers = [hub.join("tea") for hub in hubs]
        for frame in frames:
            hubs[0].publish("tea", frame)
            await asyncio.sleep(0)
        for viewer in viewers:
            taken: list[Frame] = []
            while len(taken) < len(frames):
                taken += await asyncio.wait_for(viewer.take(), PATIENCE)
            assert taken == frames
        for hub in hubs:
            hub.publish("tea", Frame("last"))
        for viewer in viewers:
            assert [(await asyncio.wait_for(take(viewer, "last"), PATIENCE))[0]] == ["last"]
            assert not viewer.fell_behind


async def test_frames_of_a_thread_arrive_in_order(shared_redis: RedisServer) -> None:
    talk = [str(number) for number in range(200)]
    async with processes(shared_redis) as [here, there]:
        viewer = there.join("tea")
        speaker = Thread(target=lambda: [here.publish("tea", Frame(word)) for word in talk])
        speaker.start()
        assert await take(viewer, talk[-1]) == talk
        speaker.join()


async def test_nobody_decodes_the_frames_of_topics_without_viewers(
    shared_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with processes(shared_redis) as [here, there]:
        received: list[str] = []
        monkeypatch.setattr(there, "receive", lambda topic, payload: received.append(topic))
        there.join("tea")
        for topic in ("coffee", "tea", "cocoa", "tea"):
            here.publish(topic, Frame("x" * 100))
        await until(lambda: len(received) == 2)
        assert received == ["tea", "tea"]


async def test_large_frames_pass_and_too_large_ones_leave_viewers_behind(shared_redis: RedisServer) -> None:
    large = "ü" * 2_500_000
    async with processes(shared_redis) as [here, there]:
        viewer = there.join("tea")
        for html in (large, large, "small"):
            here.publish("tea", Frame(html))
        assert await take(viewer, "small") == [large, large, "small"]
        assert not viewer.fell_behind
        here.publish("tea", Frame("x" * 9_000_000))
        here.publish("tea", Frame("after"))
        assert await take(viewer, "after") == ["after"]
        assert viewer.fell_behind


async def test_after_redis_was_killed_viewers_learn_of_the_gap_before_the_next_frame(
    own_redis: RedisServer, quick: None
) -> None:
    async with processes(own_redis) as [here, there]:
        viewer = there.join("tea")
        here.publish("tea", Frame("before"))
        assert await take(viewer, "before") == ["before"]
        await asyncio.to_thread(own_redis.kill)
        here.publish("tea", Frame("lost"))
        await until(lambda: not bus_of(here)._outbox)
        await asyncio.to_thread(own_redis.start)
        seen: list[str] = []
        while "after" not in seen:
            here.publish("tea", Frame("after"))
            with suppress(TimeoutError):
                seen += [frame.html for frame in await asyncio.wait_for(viewer.take(), 0.1)]
        assert viewer.fell_behind
        assert set(seen) == {"after"}


async def test_without_redis_the_outbox_is_bounded(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "OUTBOX", 1_000_000)
    async with processes(own_redis) as [here, there]:
        viewer, own = there.join("tea"), here.join("tea")
        with own_redis.stopped():
            for _ in range(300):
                here.publish("tea", Frame("x" * 10_000))
                assert bus_of(here)._waiting < 1_100_000
                await asyncio.sleep(0)
        here.publish("tea", Frame("after"))
        await take(viewer, "after")
        assert viewer.fell_behind
        await take(own, "after")


async def test_a_process_that_does_not_hear_itself_connects_again(own_redis: RedisServer, quick: None) -> None:
    async with processes(own_redis) as [_, there]:
        viewer = there.join("tea")
        with own_redis.stopped():
            await until(lambda: bus.failures._is_reported)
        await asyncio.wait_for(viewer.take(), PATIENCE)
        assert viewer.fell_behind


LISTENER = """
import asyncio, sys
from chatsite.process import bus
from conversations.live.hub import Hub

bus.BEAT, bus.DEAF = 0.1, 1.0

async def listen():
    hub = Hub()
    hub.bus = bus.Bus(sys.argv[1], "chatsite:test", b"k" * 32, hub)
    viewer = hub.join("tea")
    await hub.bus.start()
    while True:
        frames = await viewer.take()
        words = ["BEHIND"] * viewer.fell_behind + [frame.html for frame in frames]
        viewer.fell_behind = False
        print("\\n".join(words), flush=True)

asyncio.run(listen())
"""


async def test_a_process_that_was_stopped_discards_its_backlog(own_redis: RedisServer, quick: None) -> None:
    here = hub_at(own_redis)
    await bus_of(here).start()
    listener = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LISTENER, own_redis.url, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    assert listener.stdout is not None

    async def read(last: str) -> list[str]:
        assert listener.stdout is not None
        lines: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while last not in lines:
                lines.append((await listener.stdout.readline()).decode().strip())
        return lines

    try:
        await until(lambda: len(bus_of(here)._others) == 1)
        here.publish("tea", Frame("before"))
        await read("before")
        os.kill(listener.pid, signal.SIGSTOP)
        here.publish("tea", Frame("in the backlog"))
        # Once it counts as gone, it has been stopped for long enough.
        await until(lambda: not bus_of(here)._others)
        os.kill(listener.pid, signal.SIGCONT)
        await until(lambda: bus_of(here)._others)
        await read("BEHIND")
        here.publish("tea", Frame("after"))
        assert "in the backlog" not in await read("after")
    finally:
        os.kill(listener.pid, signal.SIGCONT)
        listener.kill()
        await listener.wait()
        await bus_of(here).stop()


async def test_messages_of_strangers_are_ignored_with_one_line(
    shared_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Bus(shared_redis.url, "chatsite:test", b"x" * 32, Hub())
    forged = stranger._encode(bus.Heading(1, 1, 1.0), [("tea", json.dumps(["<script>"]).encode())])
    async with processes(shared_redis) as [here, there]:
        viewer = there.join("tea")
        with Redis.from_url(shared_redis.url) as client:
            for message in (b"", b"\n", b"x" * 15, b"x" * 1000, forged, b"x" * 16 + forged[16:], b"\xff" * 5_000_000):
                client.publish("chatsite:test", message)
        here.publish("tea", Frame("after"))
        assert await take(viewer, "after") == ["after"]
        assert not viewer.fell_behind
    lines = [record for record in caplog.records if "refusals" in record.message]
    assert len(lines) == 1
    assert lines[0].exc_info is None


async def test_messages_of_another_release_are_not_used_and_leave_viewers_behind(
    shared_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with processes(shared_redis) as [here, there]:
        viewer, other = there.join("tea"), there.join("coffee")
        for payload in (b"[1, 2, 3, 4, 5, 6, 7, 8, 9]", b"nothing", b"[]", b"{}", b"[null]" * 2, b"1") * 100:
            bus_of(here).send("tea", payload)
        here.publish("tea", Frame("after"))
        assert await take(viewer, "after") == ["after"]
        assert (viewer.fell_behind, other.fell_behind) == (True, False)
    # An upgrade may last for hours, and a process sends many frames a second.
    assert len([record for record in caplog.records if "unused" in record.message]) == 1


async def test_installations_on_one_redis_do_not_hear_each_other(shared_redis: RedisServer, settings: Any) -> None:
    def open_hub(secret: str, database: int) -> Hub:
        settings.SECRET_KEY, settings.REDIS_URL = secret, f"{shared_redis.url[:-1]}{database}"
        hub = Hub()
        hub.bus = open_bus(hub)
        return hub

    mine, twin, others, staging = (open_hub(*each) for each in (("a", 0), ("a", 0), ("b", 0), ("a", 1)))
    viewers = [hub.join("tea") for hub in (twin, others, staging)]
    for hub in (mine, twin, others, staging):
        await bus_of(hub).start()
    await until(lambda: bus_of(mine)._others)
    mine.publish("tea", Frame("mine"))
    assert await take(viewers[0], "mine") == ["mine"]
    others.publish("tea", Frame("theirs"))
    staging.publish("tea", Frame("staged"))
    for viewer, heard in zip(viewers[1:], ("theirs", "staged"), strict=True):
        assert await take(viewer, heard) == [heard]
    for hub in (mine, twin, others, staging):
        assert len(bus_of(hub)._others) == (1 if hub in (mine, twin) else 0)
    for hub in (mine, twin, others, staging):
        await bus_of(hub).stop()


async def test_a_command_without_an_event_loop_is_heard(shared_redis: RedisServer) -> None:
    async with processes(shared_redis) as [_, there]:
        viewer = there.join("tea")
        command = hub_at(shared_redis)
        await asyncio.to_thread(lambda: [command.publish("tea", Frame(word)) for word in ("one", "two")])
        assert await take(viewer, "two") == ["one", "two"]
        assert not viewer.fell_behind
        assert len(bus_of(there)._others) == 1


def test_a_command_continues_without_redis(own_redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    own_redis.kill()
    hub_at(own_redis).publish("tea", Frame("lost"))
    hub_at(own_redis).tell("stop", 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_only_a_process_without_a_goodbye_leaves_viewers_behind(shared_redis: RedisServer, quick: None) -> None:
    async with processes(shared_redis, 3) as [leaving, dying, there]:
        viewer = there.join("tea")
        leaving.publish("tea", Frame("goodbye"))
        await bus_of(leaving).stop()
        assert await take(viewer, "goodbye") == ["goodbye"]
        await until(lambda: len(bus_of(there)._others) == 1)
        assert not viewer.fell_behind
        for task in bus_of(dying)._tasks:
            task.cancel()
        await until(lambda: viewer.fell_behind)


async def test_others_can_be_told_something(shared_redis: RedisServer) -> None:
    async with processes(shared_redis, 3) as hubs:
        told: list[object] = []
        for number, hub in enumerate(hubs):
            hub.listen("orders", lambda *values, number=number: told.append((number, *values)))
        hubs[0].tell("orders", "tea", 2, None)
        await until(lambda: len(told) == 2)
        assert sorted(told) == [(1, "tea", 2, None), (2, "tea", 2, None)]


async def test_an_error_of_a_listener_does_not_end_the_listening(shared_redis: RedisServer) -> None:
    async with processes(shared_redis) as [here, there]:
        there.listen("orders", lambda: 1 / 0)
        viewer = there.join("tea")
        here.tell("orders")
        here.publish("tea", Frame("after"))
        assert await take(viewer, "after") == ["after"]


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda url: url, "the client already authenticated"),
        (lambda url: url.replace("redis://", "redis://:wrong@"), "invalid username-password pair"),
        (lambda url: url.replace("redis://", "redis://:right@") + "999", "DB index is out of range"),
        (lambda url: f"{url}?kind=any", "unexpected keyword argument 'kind'"),
    ],
)
async def test_a_bus_that_redis_refuses_says_why(
    own_redis: RedisServer, change: Callable[[str], str], words: str
) -> None:
    with Redis.from_url(own_redis.url) as client:
        client.config_set("requirepass", "right")
    refused = Bus(change(own_redis.url), "chatsite:test", KEY, Hub())
    with pytest.raises(ImproperlyConfigured, match=words):
        await refused.start()
    await refused.stop()


async def test_a_bus_without_redis_starts_and_tries_again(own_redis: RedisServer, quick: None) -> None:
    await asyncio.to_thread(own_redis.kill)
    here = hub_at(own_redis)
    await bus_of(here).start()
    await asyncio.to_thread(own_redis.start)
    await until(lambda: bus_of(here).lag)
    await bus_of(here).stop()
