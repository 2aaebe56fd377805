"""How a call to a real server on loopback ends: completely, broken, too late, too large or cancelled."""

import asyncio

import pytest

from tests.conversations.answering.drawing import drawing
from tests.fakes import ModelServer
from tests.steps import Abort, Answer, Gate, Hang, Pause
from tests.upstreams.client.asking import ASKED, WHOLE, ask
from tests.wires import chat_chunk, reply_wire
from upstreams.client import stream_reply

pytestmark = pytest.mark.usefixtures("fresh_client")


async def test_a_stream_that_just_stops_is_broken(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:-4])
    assert (await ask(server)).kind == "broken_stream"


async def test_a_connection_lost_after_the_stop_reason_is_not_an_error(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hello"])[:-1], Gate(), Abort())
    gate = server._answers[0].steps[-2]
    asking = asyncio.create_task(ask(server))
    await asyncio.to_thread(gate.reached.wait, 5)
    await asyncio.sleep(0.05)
    gate.open()
    assert (await asking).reason == "end_turn"


async def test_a_call_gives_up_when_the_first_byte_is_late(server: ModelServer) -> None:
    server.answer(Answer([], before=[Hang()]))
    read = await ask(server.build_endpoint(first_byte_timeout=0.3))
    assert (read.kind, len(server.requests)) == ("stalled", 1)
    assert await server.until_disconnected()


async def test_a_call_gives_up_when_the_first_event_is_late(server: ModelServer) -> None:
    server.stream(Hang())
    assert (await ask(server.build_endpoint(first_byte_timeout=0.3))).kind == "stalled"


async def test_a_call_gives_up_after_silence(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:-4], Hang())
    read = await ask(server, idle=0.05)
    assert (read.text[:3], read.kind) == ("Hel", "stalled")
    assert await server.until_disconnected()


async def test_comments_end_silence_but_are_not_content(server: ModelServer) -> None:
    comments = [step for _ in range(500) for step in (b": ping\n\n", Pause())]
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:-4], *comments)
    assert (await ask(server, idle=60, stall=0.1)).kind == "stalled"


async def test_a_reply_may_not_take_for_ever(server: ModelServer) -> None:
    pieces = [step for wire in reply_wire(server.protocol, ["x"] * 500) for step in (wire, Pause())]
    server.stream(*pieces)
    assert (await ask(server, whole=0.1)).kind == "stalled"


async def test_a_reply_that_grows_too_large_is_cut_off_and_kept(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["x" * 100] * 50)[:-4], Hang())
    read = await ask(server, text_size=1000)
    assert read.kind == "reply_too_large" and len(read.text) > 1000
    assert await server.until_disconnected()


async def test_images_have_a_limit_of_their_own(server: ModelServer) -> None:
    drawn = drawing(server.protocol, ["Here:", *[b"x" * 300] * 5], has_end=False)
    server.stream(*drawn, Hang())
    read = await ask(server, image_size=1000, text_size=100)
    assert read.kind == "reply_too_large" and (read.text, read.blocks[1]["type"]) == ("Here:", "image")
    assert await server.until_disconnected()


async def test_an_endless_image_url_in_pieces_is_cut_off() -> None:
    urls = ["data:image/png;base64,", *["A" * 50] * 50]
    pieces = [{"images": [{"index": 0, "image_url": {"url": url}}]} for url in urls]
    with ModelServer("openai") as server:
        server.stream(*map(chat_chunk, pieces), Hang())
        assert (await ask(server, image_size=1000)).kind == "reply_too_large"
        assert await server.until_disconnected()


async def test_an_endless_line_is_cut_off(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hello"])[:-4], b"data: " + b"x" * 5000)
    assert (await ask(server, event_size=2000)).kind == "reply_too_large"


async def test_a_whole_reply_that_is_too_large_is_not_read(server: ModelServer) -> None:
    server.body(WHOLE[server.protocol])
    assert (await ask(server, body_size=10)).kind == "reply_too_large"


async def test_of_a_long_error_only_the_beginning_is_read(server: ModelServer) -> None:
    server.body(b"no " * 10_000, status=400, headers={"content-type": "text/plain"})
    read = await ask(server, error_size=1000)
    assert read.failure and len(read.failure.detail) <= 500 and read.failure.detail.startswith("no no")


async def test_redirects_are_not_followed(server: ModelServer) -> None:
    with ModelServer(server.protocol) as other:
        other.say("Hello")
        server.body(b"", status=307, headers={"location": other.url})
        read = await ask(server)
    assert (read.kind, other.requests) == ("not_a_model_server", [])


async def test_a_web_page_is_not_a_reply(server: ModelServer) -> None:
    server.body(b"<html>Welcome</html>", headers={"content-type": "text/html"})
    read = await ask(server)
    assert read.failure and (read.kind, read.failure.detail) == ("not_a_model_server", "<html>Welcome</html>")


# Stopping


async def test_closing_the_reply_closes_the_connection(server: ModelServer) -> None:
    server.say("Hel", "lo")
    server.hold()
    server.step()
    batches = stream_reply(server.build_endpoint(), ASKED)
    await anext(batches)
    await batches.aclose()
    assert await server.until_disconnected()


@pytest.mark.parametrize("moment", ["before the head", "before the first event", "between two pieces"])
async def test_cancelling_the_task_closes_the_connection(server: ModelServer, moment: str) -> None:
    gate, wire = Gate(), reply_wire(server.protocol, ["Hel", "lo"])
    match moment:
        case "before the head":
            server.answer(Answer(wire, before=[gate]))
        case "before the first event":
            server.stream(gate, *wire)
        case _:
            server.stream(*wire[:3], gate, *wire[3:])
    asking = asyncio.create_task(ask(server))
    assert await asyncio.to_thread(gate.reached.wait, 5)
    await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await server.until_disconnected()


async def test_cancelling_twice_still_closes_the_connection(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hel", "lo"])[:3], gate := Gate())
    asking = asyncio.create_task(ask(server))
    assert await asyncio.to_thread(gate.reached.wait, 5)
    asking.cancel()
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert await server.until_disconnected(1)


async def test_an_abandoned_reply_closes_its_connection(server: ModelServer) -> None:
    server.say("Hel", "lo")
    server.hold()
    server.step()
    async for _ in stream_reply(server.build_endpoint(), ASKED):
        break
    assert await server.until_disconnected(2)


async def test_cancelling_the_wait_between_two_attempts_ends_it(server: ModelServer) -> None:
    server.refuse(429, retry_after="30")
    asking = asyncio.create_task(ask(server, longest_wait=60))
    assert await asyncio.to_thread(server.asked.wait, 5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(server.requests) == 1
