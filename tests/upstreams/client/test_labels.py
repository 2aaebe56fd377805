"""The first bytes of an answer, not its content type, say whether it is a stream of events."""

import json

import pytest

from tests.fakes import ModelServer
from tests.steps import Abort, Answer, Pause
from tests.upstreams.client.asking import WHOLE, ask
from tests.wires import reply_wire
from upstreams.models import Provider

pytestmark = pytest.mark.usefixtures("fresh_client")

LABELS: list[dict[str, str]] = [
    {},
    {"content-type": "application/octet-stream"},
    {"content-type": "text/plain; charset=utf-8"},
    {"content-type": "application/json"},
    {"content-type": ""},
    {"content-type": "TEXT/EVENT-STREAM"},
]


@pytest.mark.parametrize("label", LABELS, ids=str)
@pytest.mark.parametrize("head", [b"", b": keep-alive\n\n", b"\xef\xbb\xbf", b"\n\n"], ids=str)
async def test_events_are_read_whatever_their_label(server: ModelServer, label: dict[str, str], head: bytes) -> None:
    server.stream(head, *reply_wire(server.protocol, ["Hel", "lo"]), headers=label)
    read = await ask(server)
    assert (read.text, read.reason) == ("Hello", "end_turn")


@pytest.mark.parametrize("label", LABELS, ids=str)
async def test_the_first_bytes_may_arrive_one_by_one(server: ModelServer, label: dict[str, str]) -> None:
    wire = b"".join(reply_wire(server.protocol, ["Hel", "lo"]))
    steps = [step for byte in wire[:12] for step in (bytes([byte]), Pause(0.001))]
    server.stream(*steps, wire[12:], headers=label)
    assert (await ask(server)).text == "Hello"


@pytest.mark.parametrize("label", [*LABELS, {"content-type": "text/event-stream"}], ids=str)
@pytest.mark.parametrize("head", [b"", b"\n \n"], ids=str)
async def test_a_reply_in_one_piece_is_read_whatever_its_label(
    server: ModelServer, label: dict[str, str], head: bytes
) -> None:
    server.stream(head, Pause(), json.dumps(WHOLE[server.protocol]).encode(), headers=label)
    assert (await ask(server)).text == "Hello"


@pytest.mark.parametrize("label", LABELS, ids=str)
async def test_an_error_in_one_piece_is_read_whatever_its_label(server: ModelServer, label: dict[str, str]) -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    server.stream(json.dumps(error).encode(), headers=label)
    assert (await ask(server, retries=0)).kind == "rate_limited"


@pytest.mark.parametrize("label", LABELS[:4], ids=str)
async def test_other_answers_are_not_replies(server: ModelServer, label: dict[str, str]) -> None:
    server.stream(b"<!doctype html>", b"<p>data: no</p>", headers=label)
    assert (await ask(server)).kind == "not_a_model_server"


@pytest.mark.parametrize("label", LABELS[:4], ids=str)
async def test_an_answer_that_is_cut_at_once_is_asked_for_again(server: ModelServer, label: dict[str, str]) -> None:
    server.answer(Answer([b"\n", Pause(), Abort()], headers=label))
    server.say("Hello")
    assert (await ask(server)).text == "Hello"


async def test_comments_keep_an_answer_alive_as_long_as_the_provider_allows(server: ModelServer) -> None:
    comments = [step for _ in range(20) for step in (b": keep-alive\n\n", Pause(0.02))]
    server.stream(*comments, *reply_wire(server.protocol, ["Hello"]))
    endpoint = server.build_endpoint(first_byte_timeout=5.0, silence_timeout=2.0, content_timeout=5.0)
    assert (await ask(endpoint, idle=0.1, stall=0.1)).text == "Hello"
    assert (await ask(server.build_endpoint(content_timeout=0.1))).kind == "stalled"
    assert (await ask(server.build_endpoint(answer_timeout=0.1))).kind == "stalled"


async def test_an_upstream_may_queue_for_ten_minutes_by_default() -> None:
    provider = Provider(name="House", protocol="openai", base_url="http://models.example/v1")
    endpoint = provider.build_endpoint()
    assert (endpoint.content_timeout or 0) > 660 and (endpoint.answer_timeout or 0) > 660
