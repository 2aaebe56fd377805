"""Every viewer of this process gets all frames in order, or learns that some are missing."""

import asyncio
from threading import Thread

import pytest

from conversations.live.hub import Frame, Hub, Viewer


def frames(*htmls: object) -> list[Frame]:
    return [Frame(str(html)) for html in htmls]


def html_of(taken: list[Frame]) -> list[str]:
    return [frame.html for frame in taken]


async def test_all_viewers_of_a_topic_get_the_same_frames_in_the_same_order() -> None:
    hub = Hub()
    viewers = [hub.join("tea"), hub.join("tea")]
    for frame in frames("a", "b", "c"):
        hub.publish("tea", frame)
    assert [html_of(await viewer.take()) for viewer in viewers] == [["a", "b", "c"]] * 2


async def test_a_viewer_gets_no_frames_of_other_topics() -> None:
    hub = Hub()
    tea, coffee = hub.join("tea"), hub.join("coffee")
    hub.publish("coffee", Frame("black"))
    hub.publish("tea", Frame("green"))
    assert (html_of(await tea.take()), html_of(await coffee.take())) == (["green"], ["black"])


async def test_a_viewer_may_listen_to_several_topics() -> None:
    hub = Hub()
    viewer = hub.join("tea", "coffee")
    hub.publish("coffee", Frame("black"))
    hub.publish("tea", Frame("green"))
    assert html_of(await viewer.take()) == ["black", "green"]


async def test_a_waiting_viewer_is_woken() -> None:
    hub = Hub()
    viewer = hub.join("tea")
    taking = asyncio.create_task(viewer.take())
    await asyncio.sleep(0)
    assert not taking.done()
    hub.publish("tea", Frame("green"))
    assert html_of(await taking) == ["green"]


async def test_a_viewer_that_stopped_waiting_misses_nothing() -> None:
    hub = Hub()
    viewer = hub.join("tea")
    taking = asyncio.create_task(viewer.take())
    await asyncio.sleep(0)
    hub.publish("tea", Frame("green"))
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert html_of(await viewer.take()) == ["green"]


async def test_a_viewer_that_has_left_gets_nothing_and_the_others_continue() -> None:
    hub = Hub()
    ada, ben = hub.join("tea"), hub.join("tea")
    hub.leave(ada)
    hub.publish("tea", Frame("green"))
    assert html_of(await ben.take()) == ["green"]
    assert not ada._frames


async def test_the_last_viewer_to_leave_leaves_nothing_behind() -> None:
    hub = Hub()
    ada, ben = hub.join("tea", "coffee"), hub.join("tea")
    for viewer in (ada, ben):
        hub.leave(viewer)
    hub.leave(ada)
    assert hub._viewers == {}


async def test_a_slow_viewer_learns_that_it_fell_behind_and_keeps_the_latest() -> None:
    viewer = Viewer(["tea"], queue_length=3)
    for frame in frames(*range(3)):
        viewer.offer(frame)
    assert not viewer.fell_behind
    viewer.offer(Frame("3"))
    assert viewer.fell_behind
    assert html_of(await viewer.take()) == ["3"]


async def test_a_slow_viewer_holds_no_more_than_its_queue_and_nobody_up() -> None:
    hub = Hub()
    slow, quick = hub.join("tea"), hub.join("tea")
    heard: list[str] = []
    for frame in frames(*range(5000)):
        hub.publish("tea", frame)
        heard += html_of(await quick.take())
        assert len(slow._frames) <= 256
    assert heard == [str(number) for number in range(5000)]
    assert slow.fell_behind and not quick.fell_behind


async def test_frames_from_another_thread_arrive_in_order() -> None:
    hub = Hub()
    viewer = hub.join("tea")
    talk = [*frames(*range(100))]
    speaker = Thread(target=lambda: [hub.publish("tea", frame) for frame in talk])
    speaker.start()
    heard: list[Frame] = []
    while len(heard) < len(talk):
        heard += await viewer.take()
    speaker.join()
    assert heard == talk


def test_publishing_to_a_topic_without_viewers_causes_no_error() -> None:
    Hub().publish("tea", Frame("green"))


def test_publishing_after_the_loop_has_ended_causes_no_error() -> None:
    hub = Hub()

    async def listen() -> None:
        hub.join("tea")

    asyncio.run(listen())
    hub.publish("tea", Frame("green"))
