"""A reply reaches a program complete, with either SDK and either upstream protocol."""

import json
from typing import Any

import pytest

from tests.fakes import ModelServer
from tests.gateway.serving.asking import CALL, PIXEL, PROGRAMS, ChatProgram, MessagesProgram, tell, whole
from tests.gateway.serving.programs import UPSTREAM_KEY, Programs, asks
from tests.wires import reply_wire
from upstreams.endpoint import ProtocolName

each_program = pytest.mark.parametrize("program", PROGRAMS)
each_way = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
type Program = type[MessagesProgram] | type[ChatProgram]


@each_program
@each_way
@pytest.mark.parametrize("says", ["text", "thinking", "tools", "image"])
def test_an_answer_arrives(
    programs: Programs, upstream: ModelServer, program: Program, is_streamed: bool, says: str
) -> None:
    tell(upstream, says, is_streamed=is_streamed)
    heard = program(programs).ask(asks(upstream.protocol), is_streamed=is_streamed, says=says)
    assert heard.text == ("" if says == "tools" else "Hello")
    assert heard.thinking == ("hm" if says == "thinking" else "")
    assert heard.calls == ([CALL] if says == "tools" else [])
    assert heard.reason == program.reasons["tools" if says == "tools" else "end"]
    assert (heard.read, heard.written) == (10, 20)
    assert heard.model == asks(upstream.protocol)
    assert heard.request_id and heard.request_id.startswith("req_")


@each_program
@each_way
def test_the_upstream_gets_its_own_model_name(
    programs: Programs, upstream: ModelServer, program: Program, is_streamed: bool
) -> None:
    tell(upstream, is_streamed=is_streamed)
    program(programs).ask(asks(upstream.protocol), is_streamed=is_streamed, says="image")
    [request] = upstream.requests
    assert request.headers["authorization"] == f"Bearer {UPSTREAM_KEY}" and "x-api-key" not in request.headers
    assert request.json["model"] == asks(upstream.protocol)
    assert request.json.get("stream", False) is is_streamed
    assert PIXEL in json.dumps(request.json["messages"]) and "How is it?" in json.dumps(request.json["messages"])
    if upstream.protocol is ProtocolName.ANTHROPIC:
        assert request.path == "/v1/messages" and request.headers["anthropic-version"] == "2023-06-01"
    else:
        assert request.path == "/v1/chat/completions"
        assert request.json.get("stream_options") == ({"include_usage": True} if is_streamed else None)


@each_program
@each_way
def test_a_call_is_booked_to_the_token(
    programs: Programs, upstream: ModelServer, program: Program, is_streamed: bool
) -> None:
    tell(upstream, is_streamed=is_streamed)
    heard = program(programs).ask(asks(upstream.protocol), is_streamed=is_streamed)
    entry = programs.settled()
    assert (entry.outcome, entry.source, entry.is_estimate) == ("complete", "gateway", False)
    assert (entry.person, entry.key, entry.request_id) == (programs.ada, programs.key, heard.request_id)
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (10, 20)


# The same protocol on both sides


def test_unknown_fields_pass_through_messages(programs: Programs, messages: ModelServer) -> None:
    block = {"type": "hologram", "rays": [1, 2.5, {"deep": None}]}
    messages.body(whole(messages.protocol, content=[block], novelty={"a": "b"}))
    question = {"role": "user", "content": [{"type": "text", "text": "How?", "cache_control": {"type": "ephemeral"}}]}
    answer = programs.anthropic().messages.with_raw_response.create(
        model=asks(messages.protocol), max_tokens=10, messages=[question], extra_body={"vibe": {"level": 3}}
    )
    said = answer.http_response.json()
    assert said["content"] == [block] and said["novelty"] == {"a": "b"}
    assert messages.requests[-1].json == {
        **{"model": asks(messages.protocol), "max_tokens": 10, "messages": [question]},
        "vibe": {"level": 3},
    }


def test_unknown_fields_pass_through_chat(programs: Programs, chat: ModelServer) -> None:
    chat.body(whole(chat.protocol, novelty={"a": "b"}))
    question = {"role": "user", "content": "How?", "mood": "curious"}
    answer = programs.openai().chat.completions.with_raw_response.create(
        model=asks(chat.protocol), messages=[question], seed=7, extra_body={"guided_choice": ["a", "b"]}
    )
    assert answer.http_response.json()["novelty"] == {"a": "b"}
    assert chat.requests[-1].json == {
        **{"model": asks(chat.protocol), "messages": [question], "seed": 7},
        "guided_choice": ["a", "b"],
    }


def test_beta_features_are_passed_on(programs: Programs, messages: ModelServer) -> None:
    tell(messages)
    MessagesProgram(programs).ask(asks(messages.protocol), extra_headers={"anthropic-beta": "holograms-2026-01-01"})
    assert messages.requests[-1].headers["anthropic-beta"] == "holograms-2026-01-01"


def test_a_budget_for_thinking_between_calls_may_exceed_the_limit(programs: Programs, upstream: ModelServer) -> None:
    tell(upstream)
    MessagesProgram(programs).ask(
        asks(upstream.protocol),
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 8000},
        extra_headers={"anthropic-beta": "interleaved-thinking-2025-05-14"},
    )
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("wants", [True, False])
def test_a_stream_reports_usage_only_when_asked(programs: Programs, chat: ModelServer, wants: bool) -> None:
    tell(chat, is_streamed=True)
    options: Any = {"stream_options": {"include_usage": True}} if wants else {}
    stream = programs.openai().chat.completions.create(
        model=asks(chat.protocol), messages=[{"role": "user", "content": "How?"}], stream=True, **options
    )
    chunks = list(stream)
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [wants]
    assert programs.settled().usage.output_tokens == 20


def test_several_answers_to_one_question_pass(programs: Programs, chat: ModelServer) -> None:
    answer = whole(chat.protocol)
    answer["choices"] = [{**answer["choices"][0], "index": index} for index in range(2)]
    chat.body(answer)
    said = programs.openai().chat.completions.create(
        model=asks(chat.protocol), messages=[{"role": "user", "content": "How?"}], n=2
    )
    assert [choice.message.content for choice in said.choices] == ["Hello", "Hello"]


# Different protocols


def test_dropped_fields_are_named(programs: Programs, messages: ModelServer) -> None:
    tell(messages)
    answer = programs.openai().chat.completions.with_raw_response.create(
        model=asks(messages.protocol), messages=[{"role": "user", "content": "How?"}], seed=7, store=True
    )
    assert set(answer.headers["x-dropped-params"].split(",")) == {"seed", "store"}
    assert answer.parse().choices[0].message.content == "Hello"


@pytest.mark.parametrize("program", PROGRAMS)
def test_results_of_tools_are_understood(programs: Programs, upstream: ModelServer, program: Program) -> None:
    id, name, arguments = CALL
    tell(upstream)
    if program is MessagesProgram:
        use = {"type": "tool_use", "id": id, "name": name, "input": arguments}
        result = {"type": "tool_result", "tool_use_id": id, "content": "It rains."}
        history = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    else:
        function = {"name": name, "arguments": json.dumps(arguments)}
        history = [
            {"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": function}]},
            {"role": "tool", "tool_call_id": id, "content": "It rains."},
        ]
    messages = [program.question("tools"), *history]
    program(programs).ask(asks(upstream.protocol), says="tools", messages=messages)
    sent = upstream.requests[-1].json["messages"]
    assert [message["role"] for message in sent][:2] == ["user", "assistant"]
    if upstream.protocol is ProtocolName.ANTHROPIC:
        [block] = sent[2]["content"]
        assert (block["type"], block["tool_use_id"]) == ("tool_result", id) and "It rains." in str(block["content"])
    else:
        assert (sent[2]["role"], sent[2]["tool_call_id"], sent[2]["content"]) == ("tool", id, "It rains.")


# Upstreams that do not do as they are told


@each_program
def test_an_answer_in_one_piece_is_streamed_all_the_same(
    programs: Programs, upstream: ModelServer, program: Program
) -> None:
    upstream.body(whole(upstream.protocol))
    heard = program(programs).ask(asks(upstream.protocol), is_streamed=True)
    assert (heard.text, heard.reason, heard.written) == ("Hello", program.reasons["end"], 20)


@each_program
def test_an_unwanted_stream_is_joined_to_one_piece(programs: Programs, upstream: ModelServer, program: Program) -> None:
    tell(upstream, is_streamed=True)
    heard = program(programs).ask(asks(upstream.protocol))
    assert (heard.text, heard.reason, heard.written) == ("Hello", program.reasons["end"], 20)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_any_json_object_arrives_alone_and_is_booked_in_full(
    programs: Programs, messages: ModelServer, is_streamed: bool
) -> None:
    pieces = ["Here you", " are:\n```js", 'on\n{"a": "`}', '"', "}\n`", "``\nAnything else?"]
    usage = {"input_tokens": 10, "output_tokens": 20}
    messages.stream(*reply_wire(messages.protocol, pieces, usage=usage))
    asked: Any = {"messages": [{"role": "user", "content": "JSON?"}], "response_format": {"type": "json_object"}}
    answer: Any = programs.openai().chat.completions.create(model="test-anthropic", stream=is_streamed, **asked)
    choices = [choice for chunk in answer for choice in chunk.choices] if is_streamed else answer.choices
    heard = [(choice.delta if is_streamed else choice.message).content for choice in choices]
    assert "".join(filter(None, heard)) == '{"a": "`}"}' and choices[-1].finish_reason == "stop"
    entry = programs.settled()
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (10, 20)
