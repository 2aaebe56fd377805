"""Tool calls between a program and a model, in both directions and through both protocols."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conversations.answering.tool_wires import calling
from tests.fakes import ModelServer
from tests.gateway.serving.programs import Programs, asks
from upstreams.endpoint import ProtocolName

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
BIG = 123456789012345678901234567890
QUESTION = {"role": "user", "content": "Hi"}
LONG_NAME = "mcp__plugin_chrome-devtools-mcp_chrome-devtools__get_console_message"

each_path = pytest.mark.parametrize("path", [MESSAGES, CHAT])
each_way = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def http(programs: Programs) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=programs.url, headers={"x-api-key": programs.secret}, timeout=20) as client:
        yield client


def chat_whole(*calls: tuple[str | None, str, str], reason: str = "tool_calls") -> dict[str, Any]:
    made = [{"id": id, "type": "function", "function": {"name": name, "arguments": raw}} for id, name, raw in calls]
    message = {"role": "assistant", "content": "", "tool_calls": made}
    return {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": reason}]}


def messages_whole(*calls: tuple[str, str, dict[str, Any]], reason: str = "tool_use") -> dict[str, Any]:
    uses = [{"type": "tool_use", "id": id, "name": name, "input": input} for id, name, input in calls]
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {"id": "m", "type": "message", "role": "assistant", "content": uses, "stop_reason": reason, "usage": usage}


def body(path: str, upstream: ModelServer, *names: str, **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {}}
    tools: list[dict[str, Any]] = [{"name": name, "input_schema": schema} for name in names or ("f",)]
    if path == CHAT:
        tools = [{"type": "function", "function": {"name": tool["name"], "parameters": schema}} for tool in tools]
    return {"model": asks(upstream.protocol), "max_tokens": 9, "tools": tools, "messages": [QUESTION], **more}


def read_calls(path: str, answer: httpx.Response) -> tuple[str, list[tuple[str, str, str]]]:
    """The reason of the end, and the calls with their input as text."""
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"] == "application/json":
        reply = answer.json()
        if path == MESSAGES:
            return reply["stop_reason"], [(b["id"], b["name"], json.dumps(b["input"])) for b in reply["content"]]
        [choice] = reply["choices"]
        calls = choice["message"].get("tool_calls", [])
        return choice["finish_reason"], [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls]
    reason, found = "", list[list[str]]()
    for line in answer.text.splitlines():
        event = json.loads(line.removeprefix("data: ")) if line.startswith("data: {") else {}
        match event:
            case {"type": "content_block_start", "content_block": {"type": "tool_use", "id": id, "name": name}}:
                found.append([id, name, ""])
            case {"delta": {"partial_json": piece}}:
                found[-1][2] += piece
            case {"type": "message_delta", "delta": {"stop_reason": stop}}:
                reason = stop
        for choice in event.get("choices", []):
            reason = choice.get("finish_reason") or reason
            for call in choice["delta"].get("tool_calls", []):
                if "id" in call:
                    found.append([call["id"], call["function"]["name"], ""])
                found[-1][2] += call["function"].get("arguments", "")
    return reason, [(id, name, raw) for id, name, raw in found]


# Big integers


@each_path
@each_way
def test_a_big_integer_in_a_call_reaches_the_program_as_it_is(
    http: httpx.Client, upstream: ModelServer, path: str, is_streamed: bool
) -> None:
    if is_streamed:
        upstream.stream(*calling(upstream.protocol, ("call_1", "f", {"n": BIG})))
    elif upstream.protocol is ProtocolName.ANTHROPIC:
        upstream.body(json.dumps(messages_whole(("call_1", "f", {"n": BIG}))).encode())
    else:
        upstream.body(json.dumps(chat_whole(("call_1", "f", f'{{"n": {BIG}}}'))).encode())
    _, [(_, _, raw)] = read_calls(path, http.post(path, json=body(path, upstream, stream=is_streamed)))
    assert json.loads(raw) == {"n": BIG}


@each_path
def test_a_big_integer_in_a_call_goes_back_to_the_model_as_it_is(
    http: httpx.Client, upstream: ModelServer, path: str
) -> None:
    upstream.body(messages_whole() if upstream.protocol is ProtocolName.ANTHROPIC else chat_whole())
    if path == MESSAGES:
        use = {"type": "tool_use", "id": "a", "name": "f", "input": {"n": BIG}}
        result = {"type": "tool_result", "tool_use_id": "a", "content": "ok"}
        said = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    else:
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": f'{{"n": {BIG}}}'}}
        result = {"role": "tool", "tool_call_id": "a", "content": "ok"}
        said = [{"role": "assistant", "tool_calls": [call]}, result]
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": BIG}}}
    asked = body(path, upstream, messages=[QUESTION, *said])
    (asked["tools"][0] if path == MESSAGES else asked["tools"][0]["function"]).update(
        {"input_schema" if path == MESSAGES else "parameters": schema}
    )
    http.post(path, content=json.dumps(asked), headers={"content-type": "application/json"})
    sent = upstream.requests[-1].body.decode().replace(" ", "").replace("\\", "")
    assert sent.count(f'"n":{BIG}') == 1 and sent.count(f'"maximum":{BIG}') == 1


# Ids and names


@each_way
def test_ids_that_a_server_repeats_are_unique_for_the_program(
    http: httpx.Client, chat: ModelServer, is_streamed: bool
) -> None:
    calls = [{"index": place, "id": "call_0", "function": {"name": "f", "arguments": "{}"}} for place in range(2)]
    if is_streamed:
        chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls]
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
        chat.stream(*[f"data: {json.dumps(chunk)}\n\n" for chunk in [*chunks[:1], end]], "data: [DONE]\n\n")
    else:
        chat.body(chat_whole(("call_0", "f", "{}"), ("call_0", "f", "{}")))
    history: list[Any] = [QUESTION]
    ids = []
    for _ in range(3):
        _, made = read_calls(
            MESSAGES, http.post(MESSAGES, json=body(MESSAGES, chat, messages=history, stream=is_streamed))
        )
        uses = [{"type": "tool_use", "id": id, "name": name, "input": {}} for id, name, _ in made]
        results = [{"type": "tool_result", "tool_use_id": id, "content": "ok"} for id, _, _ in made]
        history += [{"role": "assistant", "content": uses}, {"role": "user", "content": results}]
        ids += [id for id, _, _ in made]
    assert len(set(ids)) == len(ids) == (3 if is_streamed else 6) and ids[0] == "call_0"
    sent = chat.requests[-1].json["messages"]
    assert [m["tool_call_id"] for m in sent if m["role"] == "tool"] == ids[: 2 if is_streamed else 4]


@each_way
def test_a_long_name_is_whole_in_calls(http: httpx.Client, chat: ModelServer, is_streamed: bool) -> None:
    def answer(name: str) -> None:
        if is_streamed:
            chat.stream(*calling(chat.protocol, ("call_1", name, {})))
        else:
            chat.body(chat_whole(("call_1", name, "{}")))

    asked = body(MESSAGES, chat, LONG_NAME, "f", stream=is_streamed)
    answer("f")
    http.post(MESSAGES, json=asked)
    short = chat.requests[-1].json["tools"][0]["function"]["name"]
    assert len(short) <= 64
    chat.forget()
    answer(short)
    assert read_calls(MESSAGES, http.post(MESSAGES, json=asked))[1][0][1] == LONG_NAME


def test_input_that_is_not_json_does_not_look_like_none(http: httpx.Client, chat: ModelServer) -> None:
    chat.body(chat_whole(("call_1", "f", '{"city": Paris}')))
    reason, [(_, _, raw)] = read_calls(MESSAGES, http.post(MESSAGES, json=body(MESSAGES, chat)))
    assert (reason, json.loads(raw)) == ("tool_use", {"INVALID_JSON": '{"city": Paris}'})


# Calls that were cut off


CUTS = ['{"city": "Par', "", "{", " "]


@each_path
@each_way
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("before", [0, 1])
def test_a_call_that_was_cut_off_does_not_look_complete(
    http: httpx.Client, chat: ModelServer, path: str, is_streamed: bool, cut: str, before: int
) -> None:
    calls = [("call_1", "f", '{"city":"Rome"}')] * before + [("call_2", "f", cut)]
    if is_streamed:
        pieces = [
            {"index": place, "id": id, "function": {"name": name, "arguments": raw}}
            for place, (id, name, raw) in enumerate(calls)
        ]
        chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]} for piece in pieces]
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
        chat.stream(*[f"data: {json.dumps(chunk)}\n\n" for chunk in [*chunks, end]], "data: [DONE]\n\n")
    else:
        chat.body(chat_whole(*calls, reason="length"))
    reason, made = read_calls(path, http.post(path, json=body(path, chat, stream=is_streamed)))
    assert reason == ("max_tokens" if path == MESSAGES else "length")
    assert [json.loads(raw) for _, _, raw in made[:before]] == [{"city": "Rome"}] * before
    # A whole message of the Messages API has no way to say that an input is incomplete, so it leaves the call out.
    assert len(made) == before + (path == CHAT or is_streamed)
    for _, _, raw in made[before:]:
        with pytest.raises(ValueError):
            json.loads(raw)


def messages_cut(cut: str, *, before: int, is_streamed: bool) -> list[str] | dict[str, Any]:
    """A reply of the Messages API whose last call has only the beginning of its input."""
    calls = [("call_1", '{"city":"Rome"}')] * before + [("call_2", cut)]
    if not is_streamed:
        inputs = [(id, "f", json.loads(raw) if place < before else {}) for place, (id, raw) in enumerate(calls)]
        return messages_whole(*inputs, reason="max_tokens")
    start = messages_whole() | {"stop_reason": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for place, (id, raw) in enumerate(calls):
        block = {"type": "tool_use", "id": id, "name": "f", "input": {}}
        delta = {"type": "input_json_delta", "partial_json": raw}
        events += [{"type": "content_block_start", "index": place, "content_block": block}]
        events += [{"type": "content_block_delta", "index": place, "delta": delta}]
        events += [{"type": "content_block_stop", "index": place}]
    end = {"stop_reason": "max_tokens", "stop_sequence": None}
    events += [{"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


@each_path
@each_way
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("before", [0, 1])
def test_a_call_that_a_messages_server_cut_off_does_not_look_complete(
    http: httpx.Client, messages: ModelServer, path: str, is_streamed: bool, cut: str, before: int
) -> None:
    reply = messages_cut(cut, before=before, is_streamed=is_streamed)
    messages.stream(*reply) if isinstance(reply, list) else messages.body(reply)
    reason, made = read_calls(path, http.post(path, json=body(path, messages, stream=is_streamed)))
    assert reason == ("max_tokens" if path == MESSAGES else "length")
    assert [json.loads(raw) for _, _, raw in made[:before]] == [{"city": "Rome"}] * before
    assert len(made) == before + (path == CHAT or is_streamed)
    for _, _, raw in made[before:]:
        # Programs take no text at all for an empty input.
        with pytest.raises(ValueError):
            json.loads(raw or "{}")


@each_way
def test_a_call_without_input_stays_as_it_is(http: httpx.Client, messages: ModelServer, is_streamed: bool) -> None:
    reply = messages_cut("", before=0, is_streamed=is_streamed)
    if isinstance(reply, list):
        reply = [event.replace("max_tokens", "tool_use") for event in reply]
        messages.stream(*reply)
        assert http.post(MESSAGES, json=body(MESSAGES, messages, stream=True)).text.count("partial_json") == 1
    else:
        messages.body(reply | {"stop_reason": "tool_use"})
    answer = http.post(MESSAGES, json=body(MESSAGES, messages, stream=is_streamed))
    reason, [(_, name, raw)] = read_calls(MESSAGES, answer)
    assert (reason, name, json.loads(raw or "{}")) == ("tool_use", "f", {})


# Calls that pass through


def chat_pieces(*pieces: dict[str, Any], reason: str = "tool_calls") -> list[str]:
    deltas = [{"index": 0, "delta": {"tool_calls": [piece]}} for piece in pieces]
    end = {"index": 0, "delta": {}, "finish_reason": reason}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunks = [{**head, "choices": [choice]} for choice in [*deltas, end]]
    return [*[f"data: {json.dumps(chunk)}\n\n" for chunk in chunks], "data: [DONE]\n\n"]


def piece(arguments: str, **fields: Any) -> dict[str, Any]:
    name = {"name": fields.pop("name")} if "name" in fields else {}
    return {**fields, "type": "function", "function": {**name, "arguments": arguments}}


@pytest.mark.parametrize(
    "pieces",
    [
        [piece('{"x"', id="a", name="f"), piece(":1}", id="a"), piece('{"x":2}', id="b", name="f")],
        [piece('{"x"', index=0, id="a", name="f"), piece(":1}", index=0, id="b"), piece('{"x":2}', index=1, name="f")],
        [piece('{"x":1}', index=0, id="a", name="f"), piece('{"x":2}', index=0, id="b", name="f")],
        [piece('{"x":1}', index=0, name="f"), piece('{"x":2}', index=0, name="f")],
        [piece('{"x":1}', index=3, id="a", name="f"), piece('{"x":2}', index=7, id="a", name="f")],
        [piece('{"x"', index=0, id="a", name="f"), piece(":1}", index=0, id="a", name="f"), piece('{"x":2}', name="f")],
        [{"function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "f", "arguments": {"x": 2}}}],
    ],
)
def test_an_sdk_reads_calls_of_servers_that_name_them_badly(
    programs: Programs, chat: ModelServer, pieces: list[dict[str, Any]]
) -> None:
    chat.stream(*chat_pieces(*pieces))
    program = programs.openai()
    asked = body(CHAT, chat)
    del asked["model"]
    with program.chat.completions.stream(model=asks(chat.protocol), **asked) as stream:
        for _ in stream:
            pass
        calls = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("f", {"x": 1}),
        ("f", {"x": 2}),
    ]
    ids = [call.id for call in calls]
    assert all(ids) and len(set(ids)) == 2


@each_way
@pytest.mark.parametrize("given", ["call_0", "", None])
def test_ids_that_a_server_repeats_are_unique_where_they_pass_through(
    http: httpx.Client, chat: ModelServer, is_streamed: bool, given: str | None
) -> None:
    history: list[Any] = [QUESTION]
    ids: list[str] = []
    if is_streamed:
        chat.stream(*chat_pieces(piece("{}", index=0, id=given, name="f"), piece("{}", index=1, id=given, name="g")))
    else:
        chat.body(chat_whole((given, "f", "{}"), (given, "g", "{}")))
    for _ in range(3):
        _, made = read_calls(CHAT, http.post(CHAT, json=body(CHAT, chat, messages=history, stream=is_streamed)))
        assert [name for _, name, _ in made] == ["f", "g"]
        uses = [{"id": id, "type": "function", "function": {"name": name, "arguments": raw}} for id, name, raw in made]
        results = [{"role": "tool", "tool_call_id": id, "content": "ok"} for id, _, _ in made]
        history += [{"role": "assistant", "tool_calls": uses}, *results]
        ids += [id for id, _, _ in made]
    assert len(set(ids)) == 6 and all(ids) and (not given or ids[0] == given)
    sent = chat.requests[-1].json["messages"]
    assert [m["tool_call_id"] for m in sent if m["role"] == "tool"] == ids[:4]


def test_calls_that_are_in_order_pass_as_they_are(http: httpx.Client, chat: ModelServer) -> None:
    chunks = chat_pieces(piece('{"x"', index=0, id="a", name="f"), {"index": 0, "function": {"arguments": ": 1}"}})
    chat.stream(*chunks)
    answer = http.post(CHAT, json=body(CHAT, chat, stream=True)).text
    assert answer == "".join(chunks).replace('"model": "m"', '"model":"test-openai"')
