"""What arrives of a reply from a real server on loopback."""

from contextlib import aclosing
from dataclasses import replace

import pytest

from tests.fakes import ModelServer
from tests.steps import Answer, Hang, Pause
from tests.upstreams.client.asking import ASKED, QUICK, WHOLE, ask
from tests.wires import reply_wire
from upstreams.client import stream_reply
from upstreams.events import BlockGrew

pytestmark = pytest.mark.usefixtures("fresh_client")


async def test_a_reply_arrives(server: ModelServer) -> None:
    server.say("Hel", "lo", thinking=["hm"])
    read = await ask(server)
    assert (read.thinking, read.text, read.reason) == ("hm", "Hello", "end_turn")
    assert (read.usage.input_tokens, read.usage.output_tokens) == (7, 5)


async def test_a_request_says_what_it_must(server: ModelServer) -> None:
    server.say("Hello")
    await ask(server)
    [request] = server.requests
    assert request.path == {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}[server.protocol]
    assert request.json["model"] == "test-model" and request.json["stream"] is True
    wanted = {
        "authorization": "Bearer key-of-the-test",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
    }
    assert wanted.items() <= request.headers.items()


async def test_pieces_arrive_as_they_are_written(server: ModelServer) -> None:
    server.say("Hel", "lo")
    server.hold()
    batches = stream_reply(server.build_endpoint(), ASKED, limits=QUICK)
    for text in ("Hel", "lo"):
        server.step()
        while not (grown := [event.text for event in await anext(batches) if isinstance(event, BlockGrew)]):
            pass
        assert grown == [text]
    server.release()
    await batches.aclose()


async def test_what_has_arrived_meanwhile_comes_in_one_batch(server: ModelServer) -> None:
    words = [f"{number} " + "x" * 100 for number in range(3000)]
    server.stream(b"".join(reply_wire(server.protocol, words)))
    async with aclosing(stream_reply(server.build_endpoint(), ASKED, limits=QUICK)) as batches:
        taken = [events async for events in batches]
    grown = [[event.text for event in events if isinstance(event, BlockGrew)] for events in taken]
    assert "".join(text for texts in grown for text in texts) == "".join(words)
    # The transport's own reads are of 16 KiB; who reads seldom would fall behind with them.
    assert max(len("".join(texts)) for texts in grown) > 2 * 16 * 1024


async def test_a_reply_reads_the_same_however_its_pieces_arrive(server: ModelServer) -> None:
    pieces = ["Hel", "lo", " <b>", ' "quoted"', "\n", "\\", " é", " <think>", "no</think>", "thought", "!"]
    for thinking in ([], ["h", "m", "\n", "m"]):
        wire = reply_wire(server.protocol, pieces, thinking=thinking)
        server.forget()
        server.stream(b"".join(wire))
        server.stream(*(step for event in wire for step in (event, Pause(0.002))))
        at_once = await ask(server)
        assert await ask(server) == at_once
        assert (at_once.text, at_once.thinking) == ("".join(pieces), "".join(thinking))


async def test_tags_of_thinking_are_found_in_single_pieces_of_text(openai: ModelServer) -> None:
    wire = reply_wire(openai.protocol, ["<think>", "h", "m", " m", "</think>", "Hel", "lo"])
    openai.stream(*(step for event in wire for step in (event, Pause(0.002))))
    read = await ask(openai)
    assert (read.thinking, read.text) == ("hm m", "Hello")


async def test_a_reply_may_be_asked_for_in_one_piece(server: ModelServer) -> None:
    server.body(WHOLE[server.protocol])
    read = await ask(server, replace(ASKED, stream=False))
    assert (read.text, server.requests[0].json["stream"]) == ("Hello", False)
    assert server.requests[0].headers["accept"] == "application/json"


async def test_a_reply_in_one_piece_is_read_although_a_stream_was_asked_for(server: ModelServer) -> None:
    server.body(WHOLE[server.protocol])
    assert (await ask(server)).text == "Hello"


async def test_a_stream_may_name_its_type_in_any_way(server: ModelServer) -> None:
    wire = reply_wire(server.protocol, ["Hello"])
    server.answer(Answer(wire, headers={"content-type": "Text/Event-Stream;charset=UTF-8; x=y"}))
    assert (await ask(server)).text == "Hello"


async def test_a_connection_is_used_again(server: ModelServer) -> None:
    server.say("Hello")
    await ask(server)
    await ask(server)
    assert [request.connection for request in server.requests] == [1, 1]


async def test_nothing_is_read_after_the_end(server: ModelServer) -> None:
    server.stream(*reply_wire(server.protocol, ["Hello"]), Hang())
    assert (await ask(server, farewell=0.01)).text == "Hello"
    assert await server.until_disconnected()


async def test_cookies_are_not_kept(server: ModelServer) -> None:
    wire = reply_wire(server.protocol, ["Hello"])
    server.answer(Answer(wire, headers={"content-type": "text/event-stream", "set-cookie": "a=b"}))
    await ask(server)
    await ask(server)
    assert "cookie" not in server.requests[-1].headers


async def test_text_that_turns_out_to_be_thinking_is_thinking(server: ModelServer) -> None:
    server.say("Hm", ", I", " should", " be", " kind.", "\n</th", "ink>\n", "\nHel", "lo", " there", "!")
    read = await ask(server)
    assert (read.thinking, read.text) == ("Hm, I should be kind.\n", "Hello there!")


async def test_halves_of_a_character_are_joined(openai: ModelServer) -> None:
    openai.say("Hi", " ", "a", "\ud83d", "\ude00", " th", "e\ud83d", "re", "!")
    assert (await ask(openai)).text == "Hi a😀 the\ufffdre!"
