"""A program switches thinking off in its protocol, and the model's server is asked in its own."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes import ModelServer
from tests.gateway.serving.asking import tell
from tests.gateway.serving.programs import Programs, asks
from upstreams.client import concessions
from upstreams.endpoint import ProtocolName
from upstreams.models import Provider

MESSAGES, CHAT = ProtocolName.ANTHROPIC, ProtocolName.OPENAI
PATHS = {MESSAGES: "/v1/messages", CHAT: "/v1/chat/completions"}
DISABLED = {"thinking": {"type": "disabled"}}
TEMPLATE = {"chat_template_kwargs": {"enable_thinking": False}}
FIELDS = ("thinking", "reasoning_effort", "chat_template_kwargs")

each_way = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def http(programs: Programs) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=programs.url, headers={"x-api-key": programs.secret}, timeout=20) as client:
        yield client


@pytest.fixture
def effort() -> Iterator[None]:
    """The Chat Completions server accepts an effort."""
    Provider.objects.filter(protocol=CHAT).update(reasoning_effort=True)
    yield
    Provider.objects.filter(protocol=CHAT).update(reasoning_effort=False)


@pytest.fixture(autouse=True)
def forget_refusals() -> None:
    concessions._refused.clear()


def ask(http: httpx.Client, source: ProtocolName, upstream: ModelServer, **fields: Any) -> httpx.Response:
    body = {"model": asks(upstream.protocol), "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    return http.post(PATHS[source], json=body | fields)


def sent(upstream: ModelServer) -> list[dict[str, Any]]:
    """The fields about thinking of each request to the upstream."""
    return [{name: request.json[name] for name in FIELDS if name in request.json} for request in upstream.requests]


@each_way
def test_a_messages_program_switches_the_thinking_of_a_chat_model_off(
    http: httpx.Client, chat: ModelServer, is_streamed: bool
) -> None:
    tell(chat, is_streamed=is_streamed)
    answer = ask(http, MESSAGES, chat, **DISABLED, stream=is_streamed)
    assert answer.status_code == 200 and sent(chat) == [TEMPLATE | DISABLED]
    assert "x-dropped-params" not in answer.headers


def test_a_chat_server_with_an_effort_is_asked_for_none(http: httpx.Client, chat: ModelServer, effort: None) -> None:
    tell(chat)
    ask(http, MESSAGES, chat, **DISABLED)
    assert sent(chat) == [{"reasoning_effort": "none"}]


@pytest.mark.parametrize("fields", [{"reasoning_effort": "none"}, {"reasoning_effort": "minimal"}, DISABLED, TEMPLATE])
def test_a_chat_program_switches_the_thinking_of_a_messages_model_off(
    http: httpx.Client, messages: ModelServer, fields: dict[str, Any]
) -> None:
    tell(messages)
    answer = ask(http, CHAT, messages, **fields)
    assert answer.status_code == 200 and sent(messages) == [DISABLED]
    assert "x-dropped-params" not in answer.headers


@each_way
def test_a_chat_server_that_does_not_know_it_answers_and_the_program_learns_of_it(
    http: httpx.Client, chat: ModelServer, is_streamed: bool
) -> None:
    for field in ("chat_template_kwargs", "thinking"):
        chat.body({"error": {"message": f"Unrecognized request argument supplied: {field}"}}, status=400)
    tell(chat, is_streamed=is_streamed)
    for _ in range(2):
        answer = ask(http, MESSAGES, chat, **DISABLED, stream=is_streamed, speed="fast")
        assert answer.status_code == 200 and "Hel" in answer.text
        assert answer.headers["x-dropped-params"] == "speed,thinking"
    assert sent(chat) == [TEMPLATE | DISABLED, DISABLED, {}, {}]


def test_a_server_that_knows_one_way_of_two_is_asked_in_that_way(http: httpx.Client, chat: ModelServer) -> None:
    chat.body({"error": {"message": "Extra inputs are not permitted: chat_template_kwargs"}}, status=400)
    tell(chat)
    assert "x-dropped-params" not in ask(http, MESSAGES, chat, **DISABLED).headers
    assert sent(chat)[-1] == DISABLED


@each_way
def test_a_messages_server_that_does_not_know_it_answers_and_the_program_learns_of_it(
    http: httpx.Client, messages: ModelServer, is_streamed: bool
) -> None:
    messages.refuse(400, "invalid_request_error", "thinking: Extra inputs are not permitted")
    tell(messages, is_streamed=is_streamed)
    answer = ask(http, CHAT, messages, reasoning_effort="none", stream=is_streamed)
    assert answer.status_code == 200 and answer.headers["x-dropped-params"] == "reasoning_effort"
    assert sent(messages) == [DISABLED, {}]


@pytest.mark.parametrize(("source", "fields"), [(MESSAGES, DISABLED), (CHAT, {"reasoning_effort": "none"})])
def test_a_program_learns_of_the_refusal_of_its_own_field(
    http: httpx.Client, programs: Programs, source: ProtocolName, fields: dict[str, Any]
) -> None:
    upstream = programs.fresh(source)
    upstream.refuse(400, "invalid_request_error", "thinking, reasoning_effort: not supported")
    assert ask(http, source, upstream, **fields).status_code == 400
    assert sent(upstream) == [fields]
