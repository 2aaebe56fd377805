"""Whatever a program sends, it gets an answer, or an error of its protocol that is its own fault."""

import json
import re
import socket
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPResponse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.serving.incoming import Incoming
from tests.gateway.dialects.bodies import CHAT as CHAT_BODY
from tests.gateway.dialects.bodies import MESSAGES as MESSAGES_BODY
from tests.gateway.serving.asking import whole
from tests.gateway.serving.programs import Programs, asks
from upstreams.endpoint import ProtocolName

MESSAGES, CHAT, COUNT, MODELS = "/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens", "/v1/models"
BODIES = {MESSAGES: MESSAGES_BODY, CHAT: CHAT_BODY, COUNT: MESSAGES_BODY}
VERSION = ("anthropic-version", b"2023-06-01")
DEPTHS = [100, 190, 250, 1000, 1100, 100_000]


@dataclass(frozen=True)
class Reply:
    status: int
    type: str
    text: str


def send(
    programs: Programs, method: bytes, target: bytes, headers: list[tuple[str, bytes]], body: bytes | None
) -> Reply:
    """A request byte by byte, since no library sends what attackers send."""
    lines = [method + b" " + target + b" HTTP/1.1", b"host: 127.0.0.1", b"connection: close"]
    lines += [name.encode() + b": " + value for name, value in headers]
    if body is not None:
        lines.append(b"content-length: %d" % len(body))
    with socket.create_connection(("127.0.0.1", programs.port), timeout=20) as program:
        program.sendall(b"\r\n".join([*lines, b"", body or b""]))
        answer = HTTPResponse(program, method=method.decode("latin-1"))
        answer.begin()
        return Reply(answer.status, answer.headers.get("content-type", ""), answer.read().decode())


def check(reply: Reply, path: str, *, is_messages: bool) -> None:
    """Success, or a refusal in the shape of the path's protocol."""
    assert reply.status == 200 or 400 <= reply.status < 500, reply
    if reply.status == 200:
        return
    assert reply.type == "application/json", reply
    said = json.loads(reply.text)
    shape = {"type", "message"} if is_messages else {"message", "type", "param", "code"}
    assert set(said["error"]) == shape and said["error"]["message"], reply
    assert len(reply.text) < 2000, reply


def nest(depth: int, opening: str, closing: str) -> str:
    return opening * depth + "0" + closing * depth


class Raw:
    """Stands for JSON text that no value of Python is written as. Its name is replaced in the text of the body."""

    TEXTS = {
        **{f"list of {depth}": nest(depth, "[", "]") for depth in DEPTHS},
        **{f"object of {depth}": nest(depth, '{"a":', "}") for depth in DEPTHS},
        **{"nan": "NaN", "infinity": "-Infinity", "huge": "1e400", "long": "9" * 5000, "zero": "-0", "zeros": "-0.0"},
        **{"surrogate": r'"\ud800"', "pair": r'"\udc00\ud800"', "nul": r'"a\u0000b"', "escape": r'"\x"'},
        **{"keys": '{"type": "text", "type": "image", "text": "a", "text": 1}', "surrogate key": r'{"\ud800": 1}'},
        **{"nul key": r'{"\u0000": 1}', "nested text": json.dumps(nest(1000, "[", "]"))},
        **{f"arguments of {depth}": json.dumps(nest(depth, '{"a":', "}")) for depth in (199, 250, 1000)},
        "bare": "nothing",
    }


MARK = "raw: "
odd_numbers = st.sampled_from([0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**53, 2**63, -(2**63) - 1, 2**64, 10**30])
odd_texts = st.sampled_from(["", " ", "two", "\0", "a\0b", "\u2028", "é" * 300, "x" * 70_000, "none", "auto", "a/b/c"])
raw_texts = st.sampled_from(sorted(Raw.TEXTS)).map(lambda name: MARK + name)
plain_values = st.none() | st.booleans() | odd_numbers | st.integers() | odd_texts | st.text(max_size=20) | raw_texts
names = st.sampled_from(["type", "role", "text", "content", "source", "function", "name", "id", "input", "a", "\0", ""])
types = st.sampled_from(
    ["text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result"]
    + ["image_url", "input_audio", "file", "function", "custom", "refusal", "json_schema", "enabled", "any", "tool"]
    + ["base64", "url", "content", "allowed_tools", "ephemeral", "adaptive", "server_tool_use", "web_search_2025"]
)
odd_values = st.recursive(
    plain_values | st.fixed_dictionaries({"type": types}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner | types, max_size=3),
    max_leaves=6,
)


def list_places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from list_places(inner, (*path, key))


def change(body: Any, place: tuple[Any, ...], act: str, value: Any) -> Any:
    if not place:
        return value if act == "replace" else body
    parent = body
    for key in place[:-1]:
        parent = parent[key]
    match act:
        case "replace":
            parent[place[-1]] = value
        case "delete":
            del parent[place[-1]]
        case "repeat" if isinstance(parent, list):
            parent.append(deepcopy(parent[place[-1]]))
        case _ if isinstance(parent, dict):
            parent[value if isinstance(value, str) else "extra"] = value
    return body


@st.composite
def bodies(draw: st.DrawFn, path: str) -> bytes:
    """A valid request with a few changes at random places."""
    body: Any = deepcopy(BODIES[path])
    body["model"] = asks(draw(st.sampled_from(list(ProtocolName))))
    body["stream"] = draw(st.booleans())
    if not body["stream"]:
        body.pop("stream_options", None)
    if draw(st.booleans()):
        body["thinking"] = {"type": "disabled"}
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(list_places(body))))
        act = draw(st.sampled_from(["replace", "replace", "replace", "delete", "repeat", "add"]))
        body = change(body, place, act, draw(odd_values))
    text = json.dumps(body)
    for name, raw in Raw.TEXTS.items():
        text = text.replace(json.dumps(MARK + name), raw)
    wire = text.encode()
    match draw(st.sampled_from(["", "", "", "", "cut", "bytes", "twice", "mark"])):
        case "cut":
            wire = wire[: draw(st.integers(0, min(len(wire), 5000)))]
        case "bytes":
            at = draw(st.integers(0, min(len(wire), 5000)))
            wire = wire[:at] + draw(st.binary(min_size=1, max_size=4)) + wire[at:]
        case "twice":
            wire = b'{"model": 1, "max_tokens": 2, "messages": 3, ' + wire[1:]
        case "mark":
            wire = b"\xef\xbb\xbf" + wire
    return wire


@pytest.mark.parametrize("path", list(BODIES))
@given(data=st.data())
def test_any_body_is_answered_or_refused(programs: Programs, path: str, data: st.DataObject) -> None:
    prepare(programs)
    body = data.draw(bodies(path))
    reply = send(programs, b"POST", path.encode(), [*sign(programs), JSON, VERSION], body)
    check(reply, path, is_messages=path != CHAT)


LENIENT = {
    MESSAGES: [
        "extra",
        "messages.1.content.3.input",
        "tools.0.input_schema",
        "messages.1.content.2",
        "tools.0",
        "metadata",
    ],
    CHAT: [
        "extra",
        "tools.0.function.parameters",
        "messages.3.tool_calls.0.function",
        "messages.2.content.0",
        "logit_bias",
    ],
}


@pytest.mark.parametrize("protocol", list(ProtocolName))
@pytest.mark.parametrize("path", list(LENIENT))
@pytest.mark.parametrize("name", list(Raw.TEXTS))
def test_any_json_in_a_field_that_may_contain_anything_is_answered_or_refused(
    programs: Programs, path: str, protocol: ProtocolName, name: str
) -> None:
    prepare(programs)
    for place in LENIENT[path]:
        body: Any = deepcopy(BODIES[path]) | {"model": asks(protocol), "extra": None}
        parent = body
        *keys, last = [int(key) if key.isdecimal() else key for key in place.split(".")]
        for key in keys:
            parent = parent[key]
        parent[last] = {**(parent[last] or {}), "a": MARK} if place != "extra" else MARK
        if isinstance(parent[last], dict) and "arguments" in parent[last]:
            parent[last] = {**parent[last], "arguments": MARK}
        wire = json.dumps(body).replace(json.dumps(MARK), Raw.TEXTS[name])
        reply = send(programs, b"POST", path.encode(), [*sign(programs), JSON, VERSION], wire.encode())
        check(reply, path, is_messages=path != CHAT)


JSON = ("content-type", b"application/json")
# The server itself refuses these.
INVALID_IN_HEADER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
header_bytes = st.binary(max_size=60).map(lambda value: INVALID_IN_HEADER.sub(b"", value))
# Other bytes are not HTTP. The server refuses them before it looks at the path.
path_bytes = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30).map(str.encode)
percents = st.lists(st.integers(0, 255), max_size=8).map(lambda codes: b"".join(b"%%%02x" % code for code in codes))
tails = st.one_of(
    st.sampled_from([b"", b"/", b"//", b"/..", b"/%00", b"/a%00b", b"/%ed%a0%80", b"/%ff", b"/a/b/c", b"?", b"?%ff"]),
    st.sampled_from([b"/" + b"a/" * 300, b"/" + b"x" * 3000, b"?a=%00&b=%ff", b"#", b";a", b"/test-anthropic", b"%2f"]),
    path_bytes,
    percents,
    percents.map(lambda value: b"/" + value),
)
paths = st.sampled_from([*BODIES, MODELS, MODELS + "/", "/v1/", "/v1/complete", "/v1/embeddings"])
methods = st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"get", b"BREW", b"X" * 50])


def sign(programs: Programs) -> list[tuple[str, bytes]]:
    return [("authorization", b"Bearer " + programs.secret.encode())]


def prepare(programs: Programs) -> None:
    for protocol in ProtocolName:
        programs.fresh(protocol).body(whole(protocol))


odd_headers = st.dictionaries(
    st.sampled_from(
        ["content-type", "anthropic-version", "anthropic-beta", "authorization", "x-api-key", "accept", "cookie", "x-a"]
        + ["accept-encoding", "content-encoding", "origin", "x-forwarded-proto", "expect-nothing", "user-agent"]
    ),
    header_bytes
    | st.sampled_from(
        [b"", b"Bearer", b"Bearer ", b"bearer\tx", b"Basic Og==", b"Bearer cs-\xff", b"Bearer " + b"x" * 2000]
        + [b"text/plain", b"application/json; charset=latin-1", b"multipart/form-data", b"2023-06-01", b"9999-99-99"]
        + [b"a,b", b"gzip", b"\xc3\xa9", b"Bearer cs-" + b"a" * 40]
    ),
    max_size=4,
)


@given(method=methods, path=paths, tail=tails, headers=odd_headers, is_signed=st.booleans(), has_body=st.booleans())
def test_any_address_and_header_is_answered_or_refused(
    programs: Programs,
    method: bytes,
    path: str,
    tail: bytes,
    headers: dict[str, bytes],
    is_signed: bool,
    has_body: bool,
) -> None:
    prepare(programs)
    given_headers = list(headers.items())
    if is_signed:
        given_headers += [pair for pair in (*sign(programs), JSON, VERSION) if pair[0] not in headers]
    valid = {**BODIES.get(path, CHAT_BODY), "model": asks(ProtocolName.OPENAI)}
    body = json.dumps(valid).encode() if has_body else None
    reply = send(programs, method, path.encode() + tail, given_headers, body)
    is_chat = path in (CHAT, "/v1/embeddings")
    is_messages = path.startswith(MESSAGES) or ("anthropic-version" in dict(given_headers) and not is_chat)
    check(reply, path, is_messages=is_messages)


@pytest.mark.parametrize("size", [b"", b"-1", b"1e3", b"0x10", b"5, 5", b"9" * 5000, b"\xb2", b"10 10", b"+5"])
def test_an_odd_size_is_refused(programs: Programs, size: bytes) -> None:
    headers = [*sign(programs), JSON, VERSION, ("content-length", size)]
    try:
        reply = send(programs, b"POST", CHAT.encode(), headers, None)
    except (BadStatusLine, ConnectionError):
        # The server closes a connection whose framing it cannot trust.
        return
    assert 400 <= reply.status < 500


async def never() -> Any:
    raise AssertionError("nothing was to be read")


@pytest.mark.parametrize("digits", [17, 18, 19, 5000])
def test_a_huge_size_is_read_as_too_large(digits: int) -> None:
    headers = [(b"content-length", b"9" * digits)]
    incoming = Incoming({"method": "POST", "path": CHAT, "headers": headers}, receive=never)
    assert incoming.size is not None and incoming.size > 10**16


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
def test_a_clients_own_words_are_shortened_in_errors(programs: Programs, path: str) -> None:
    long = "x" * 100_000
    for change in ({"model": long}, {"logit_bias": {long: long}}, {"messages": [{"role": long, "content": long}]}):
        body = {**BODIES[path], "model": asks(ProtocolName.OPENAI), **change}
        reply = send(programs, b"POST", path.encode(), [*sign(programs), JSON, VERSION], json.dumps(body).encode())
        check(reply, path, is_messages=path == MESSAGES)
