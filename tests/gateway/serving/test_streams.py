"""A stream is passed on as it arrives. However it ends, the program, the upstream and the ledger learn of it."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import orjson
import pytest

from gateway.serving import outgoing
from tests.fakes import ModelServer
from tests.gateway.serving.asking import PROGRAMS, ChatProgram, MessagesProgram, raw
from tests.gateway.serving.programs import Programs, asks
from tests.steps import Abort, Gate, Hang
from tests.wires import chat_chunk, messages_event, reply_wire
from upstreams.endpoint import ProtocolName
from upstreams.models import Provider

each_program = pytest.mark.parametrize("program", PROGRAMS)
type Program = type[MessagesProgram] | type[ChatProgram]


def texts(program: Program, programs: Programs, model: str) -> Iterator[str]:
    """The pieces of text from the SDK. The connection closes with the iterator."""
    body: dict[str, Any] = {"model": model, "max_tokens": 2000, "messages": [program.question("text")]}
    client: Any = program(programs).client
    if program is MessagesProgram:
        with client.messages.create(**body, stream=True) as stream:
            for event in stream:
                if event.type == "content_block_delta":
                    yield event.delta.text
    else:
        with client.chat.completions.create(**body, stream=True) as stream:
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content


def begun(protocol: ProtocolName) -> list[bytes]:
    """A reply that stops after its first word."""
    wire = reply_wire(protocol, ["Hel"])
    return wire[: next(at for at, event in enumerate(wire) if b"Hel" in event) + 1]


# As it comes


@each_program
def test_each_piece_arrives_before_the_next_is_written(
    programs: Programs, upstream: ModelServer, program: Program
) -> None:
    upstream.hold()
    upstream.say("Hel", "lo", ", ", "Ada")
    upstream.step()
    heard = []
    for piece in texts(program, programs, asks(upstream.protocol)):
        heard.append(piece)
        upstream.step()
    assert heard == ["Hel", "lo", ", ", "Ada"]


def test_events_pass_as_they_are(programs: Programs, messages: ModelServer) -> None:
    odd = messages_event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "scent_delta", "rose": "é\u2028"}}
    )
    unknown = messages_event({"type": "weather", "is": "fine"})
    start, opened, *rest = reply_wire(messages.protocol, ["Hello"])
    messages.stream(start, opened, odd, b": a comment of somebody's proxy\n\nid: 7\n" + unknown, *rest)
    reader, answer = raw(programs, messages.protocol, asks(messages.protocol))
    with reader:
        answer.begin()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache" and answer.headers["x-accel-buffering"] == "no"
        said = answer.read()
    assert said.startswith(b"event: message_start\n") and said.endswith(b"".join([opened, odd, unknown, *rest]))


def test_an_event_without_a_name_gets_one(programs: Programs, messages: ModelServer) -> None:
    messages.stream(*(b"data" + event.partition(b"\ndata")[2] for event in reply_wire(messages.protocol, ["Hello"])))
    assert MessagesProgram(programs).ask(asks(messages.protocol), is_streamed=True).text == "Hello"


def test_figures_that_the_sdk_needs_are_added(programs: Programs, messages: ModelServer) -> None:
    started = {"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": []}}
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    _, *middle, _, _ = reply_wire(messages.protocol, ["Hello"])
    messages.stream(messages_event(started), *middle, messages_event(ended))
    heard = MessagesProgram(programs).ask(asks(messages.protocol), is_streamed=True)
    assert (heard.text, heard.reason, heard.model) == ("Hello", "end_turn", asks(messages.protocol))
    entry = programs.settled()
    assert entry.is_estimate and entry.usage.output_tokens and entry.usage.input_tokens


def test_a_missing_end_mark_is_added(programs: Programs, chat: ModelServer) -> None:
    chat.stream(chat_chunk({"role": "assistant", "content": "Hello"}), chat_chunk({}, "stop"))
    reader, answer = raw(programs, chat.protocol, asks(chat.protocol))
    with reader:
        answer.begin()
        said = answer.read()
    assert said.endswith(b"data: [DONE]\n\n") and said.count(b"[DONE]") == 1
    assert said.count(b'"model":"test-openai"') == 2 and b"test-model" not in said


@each_program
def test_an_empty_reply_is_a_reply(programs: Programs, upstream: ModelServer, program: Program) -> None:
    upstream.say()
    heard = program(programs).ask(asks(upstream.protocol), is_streamed=True)
    assert (heard.text, heard.reason) == ("", program.reasons["end"])
    assert programs.settled().outcome == "complete"


# Silence


@each_program
def test_a_silent_stream_is_kept_alive(
    programs: Programs, upstream: ModelServer, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "KEEP_ALIVE", 0.05)
    gate = Gate()
    upstream.stream(gate, *reply_wire(upstream.protocol, ["Hello"]))
    reader, answer = raw(programs, program.protocol, asks(upstream.protocol))
    ping = b'event: ping\ndata: {"type":"ping"}\n\n' if program is MessagesProgram else b": ping\n\n"
    with reader:
        answer.begin()
        assert answer.status == 200 and answer.read(2 * len(ping)) == 2 * ping
        gate.open()
        assert b"Hello" in answer.read()


@each_program
def test_an_sdk_ignores_pings(
    programs: Programs, upstream: ModelServer, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "KEEP_ALIVE", 0.01)
    upstream.hold()
    upstream.say("Hel", "lo")
    heard = []
    upstream.step()
    for piece in texts(program, programs, asks(upstream.protocol)):
        heard.append(piece)
        upstream.step()
    assert heard == ["Hel", "lo"]


@each_program
def test_an_upstream_that_falls_silent_is_given_up(programs: Programs, upstream: ModelServer, program: Program) -> None:
    Provider.objects.update(silence_timeout=1)
    upstream.stream(*begun(upstream.protocol), Hang())
    heard = []
    with pytest.raises((anthropic.APIStatusError, openai.APIError)):
        for piece in texts(program, programs, asks(upstream.protocol)):
            heard.append(piece)
    assert heard == ["Hel"] and programs.settled().error_kind == "stalled"


# Failing midway


@each_program
@pytest.mark.parametrize("fault", ["error", "cut", "end"])
def test_a_stream_that_breaks_off_does_not_look_whole(
    programs: Programs, upstream: ModelServer, program: Program, fault: str
) -> None:
    error = {"type": "overloaded_error", "message": f"no, says {upstream.url}", "code": 529}
    told = b"event: error\ndata: " + orjson.dumps({"type": "error", "error": error}) + b"\n\n"
    last: Any = {"error": told, "cut": Abort(), "end": b""}[fault]
    upstream.stream(*begun(upstream.protocol), last)
    heard = []
    with pytest.raises((anthropic.APIStatusError, openai.APIError)) as caught:
        for piece in texts(program, programs, asks(upstream.protocol)):
            heard.append(piece)
    assert heard == ["Hel"] and "127.0.0.1" not in str(caught.value)
    if program is MessagesProgram:
        assert caught.value.body["error"]["type"] == ("overloaded_error" if fault == "error" else "api_error")
        assert caught.value.body["request_id"].startswith("req_")
    entry = programs.settled()
    assert (entry.outcome, entry.is_estimate) == ("broken", True) and entry.usage.output_tokens >= 1


@each_program
def test_a_failure_before_the_first_word_has_its_status(
    programs: Programs, messages: ModelServer, program: Program
) -> None:
    start, *_ = reply_wire(messages.protocol, [])
    wrong = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too many"}}
    messages.stream(start, messages_event(wrong))
    with pytest.raises((anthropic.BadRequestError, openai.BadRequestError)) as caught:
        program(programs).ask(asks(messages.protocol), is_streamed=True)
    assert "max_tokens: too many" in str(caught.value)


# Leaving


@each_program
def test_a_program_that_leaves_a_stream_frees_the_upstream(
    programs: Programs, upstream: ModelServer, program: Program
) -> None:
    pieces = reply_wire(upstream.protocol, ["Hello ", "Ada, ", "how are you?"])
    upstream.stream(*pieces[:-2], Hang())
    stream = texts(program, programs, asks(upstream.protocol))
    assert next(stream) == "Hello "
    stream.close()
    assert upstream.disconnected.wait(1)
    entry = programs.settled()
    assert (entry.outcome, entry.is_estimate) == ("stopped", True) and entry.usage.output_tokens >= 1


@each_program
def test_a_program_that_stops_waiting_frees_the_upstream(
    programs: Programs, upstream: ModelServer, program: Program
) -> None:
    upstream.stream(Hang())
    with pytest.raises((anthropic.APITimeoutError, openai.APITimeoutError)):
        program(programs, timeout=0.5).ask(asks(upstream.protocol))
    assert upstream.asked.is_set() and upstream.disconnected.wait(1)
    assert programs.settled().outcome == "stopped"
