"""Optional fields that a server refuses: the request is sent again without them."""

from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import ModelServer
from tests.upstreams.client.asking import ASKED, QUICK, ask
from upstreams.chat import Effort
from upstreams.client import stream_payload, stream_reply
from upstreams.endpoint import ProtocolName
from upstreams.errors import InvalidRequest

ADA = replace(ASKED, user="ada")
REFUSALS: list[Any] = [
    {"error": {"message": "Unrecognized request argument supplied: user", "type": "invalid_request_error"}},
    {"detail": [{"type": "extra_forbidden", "loc": ["body", "user"], "msg": "Extra inputs are not permitted"}]},
    {"object": "error", "message": "[{'loc': ('body', 'user'), 'msg': 'Extra inputs are not permitted'}]"},
]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_refuses_the_user_is_remembered(openai: ModelServer, refusal: Any, status: int) -> None:
    openai.body(refusal, status=status)
    openai.say("Hello")
    assert [(await ask(openai, ADA)).text for _ in range(2)] == ["Hello", "Hello"]
    assert ["user" in request.json for request in openai.requests] == [True, False, False]


@pytest.mark.parametrize("words", ["metadata: Extra inputs are not permitted", "metadata.user_id: too long"])
async def test_a_server_that_refuses_the_metadata_is_remembered(anthropic: ModelServer, words: str) -> None:
    anthropic.refuse(400, "invalid_request_error", words)
    anthropic.say("Hello")
    assert [(await ask(anthropic, ADA)).text for _ in range(2)] == ["Hello", "Hello"]
    assert ["metadata" in request.json for request in anthropic.requests] == [True, False, False]


@pytest.mark.parametrize("field", ["chat_template_kwargs", "thinking"])
async def test_a_server_that_knows_one_way_to_switch_thinking_off_is_asked_in_that_way(
    openai: ModelServer, field: str
) -> None:
    openai.body({"error": {"message": f"Unrecognized request argument supplied: {field}"}}, status=400)
    openai.say("Hello")
    assert (await ask(openai, replace(ASKED, thinking_is_off=True))).text == "Hello"
    assert (await ask(openai, replace(ASKED, thinking_is_off=True))).remarks == []
    assert {"chat_template_kwargs", "thinking"} & set(openai.requests[-1].json) == (
        {"chat_template_kwargs", "thinking"} - {field}
    )


async def test_an_effort_of_none_is_left_out_where_it_is_refused(openai: ModelServer) -> None:
    openai.body({"error": {"message": "Unsupported value: 'reasoning_effort' does not support 'none'"}}, status=400)
    openai.say("Hello")
    endpoint = openai.build_endpoint(reasoning_effort=True)
    events = [event async for batch in stream_reply(endpoint, replace(ASKED, thinking_is_off=True)) for event in batch]
    assert events and ["reasoning_effort" in request.json for request in openai.requests] == [True, False]


SETTINGS: list[tuple[str, str, Any, str]] = [
    ("openai", "temperature", 0.5, "Temperature"),
    ("openai", "top_p", 0.5, "Top-p"),
    ("openai", "top_k", 40, "Top-k"),
    ("openai", "presence_penalty", 1.0, "Presence penalty"),
    ("openai", "frequency_penalty", 1.0, "Frequency penalty"),
    ("openai", "stop", ("END",), "stop sequences"),
    ("openai", "reasoning_effort", Effort.HIGH, "reasoning effort"),
    ("anthropic", "temperature", 0.5, "Temperature"),
    ("anthropic", "top_p", 0.5, "Top-p"),
    ("anthropic", "top_k", 40, "Top-k"),
    ("anthropic", "stop_sequences", ("END",), "stop sequences"),
    ("anthropic", "output_config", Effort.HIGH, "reasoning effort"),
]
NAMES = {"stop": "stop_sequences", "output_config": "reasoning_effort"}
"""Fields of a request by the names of the wire's fields, where they differ."""
ALL = {"accepts_top_k": True, "reasoning_effort": True}


@pytest.mark.parametrize(("protocol", "field", "value", "label"), SETTINGS)
async def test_a_refused_setting_is_left_out_and_said_in_each_answer(
    request: pytest.FixtureRequest, protocol: str, field: str, value: Any, label: str
) -> None:
    server: ModelServer = request.getfixturevalue(protocol)
    server.refuse(400, "invalid_request_error", f"Unsupported parameter: '{field}' is not supported with this model.")
    server.say("Hello")
    asked = replace(ASKED, takes_effort=True, **{NAMES.get(field, field): value})
    for _ in range(2):
        read = await ask(server.build_endpoint(**ALL), asked)
        [remark] = read.remarks
        assert read.text == "Hello" and label in remark and "refused" in remark
    assert [field in request.json for request in server.requests] == [True, False, False]


async def test_a_server_that_refuses_a_value_gets_others(openai: ModelServer) -> None:
    openai.body({"error": {"message": "'temperature' does not support 0.5. Only 1 is supported."}}, status=400)
    openai.say("Hello")
    assert [(await ask(openai, replace(ASKED, temperature=t))).remarks != [] for t in (0.5, 1, 0.5)] == [
        True,
        False,
        True,
    ]
    assert [request.json.get("temperature") for request in openai.requests] == [0.5, None, 1, None]


@pytest.mark.parametrize("protocol", ["openai", "anthropic"])
async def test_a_model_whose_thinking_cannot_be_switched_off_is_named_in_each_answer(
    request: pytest.FixtureRequest, protocol: str
) -> None:
    server: ModelServer = request.getfixturevalue(protocol)
    for field in ("thinking", "chat_template_kwargs") if protocol == "openai" else ("thinking",):
        server.refuse(400, "invalid_request_error", f"{field}: Extra inputs are not permitted")
    server.say("Hello")
    for _ in range(2):
        [remark] = (await ask(server, replace(ASKED, thinking_is_off=True))).remarks
        assert "could not be switched off" in remark


async def test_a_refused_pseudonym_is_not_worth_a_remark(openai: ModelServer) -> None:
    for field in ("user", "stream_options"):
        openai.body({"error": {"message": f"Unknown field: {field}"}}, status=400)
    openai.say("Hello")
    assert [(await ask(openai, ADA)).remarks for _ in range(2)] == [[], []]


async def test_an_answer_that_fails_afterwards_is_repeated_with_its_remark(openai: ModelServer) -> None:
    openai.body({"error": {"message": "Unknown field: temperature"}}, status=400)
    openai.stream()
    openai.say("Hello")
    read = await ask(openai, replace(ASKED, temperature=0.5))
    assert (read.text, len(read.remarks), len(openai.requests)) == ("Hello", 1, 3)


async def test_a_thinking_budget_is_not_left_out(anthropic: ModelServer) -> None:
    anthropic.refuse(400, "invalid_request_error", "thinking: not supported")
    assert isinstance((await ask(anthropic, replace(ASKED, thinking_budget=2048))).failure, InvalidRequest)
    assert len(anthropic.requests) == 1


async def test_several_fields_can_be_refused_one_after_the_other(openai: ModelServer) -> None:
    for field in ("user", "stream_options"):
        openai.body({"error": {"message": f"Unknown field: {field}"}}, status=400)
    openai.say("Hello")
    assert (await ask(openai, ADA)).text == "Hello"
    assert not {"user", "stream_options"} & set(openai.requests[-1].json)


async def test_a_refusal_that_only_mentions_the_field_is_reported_and_not_remembered(openai: ModelServer) -> None:
    words = "Conversation roles must alternate user/assistant/user/assistant"
    openai.body({"error": {"message": words}}, status=400)
    openai.body({"error": {"message": words}}, status=400)
    openai.say("Hello")
    assert isinstance((failed := await ask(openai, ADA)).failure, InvalidRequest) and words in failed.failure.detail
    assert (await ask(openai, ADA)).text == "Hello"
    assert ["user" in request.json for request in openai.requests] == [True, False, True]


async def test_another_failure_is_not_met_with_fewer_fields(openai: ModelServer) -> None:
    openai.body({"error": {"message": "The user is over the quota"}}, status=403)
    assert (await ask(openai, ADA)).kind == "permission"
    assert len(openai.requests) == 1


async def test_the_fields_of_a_program_are_its_own(openai: ModelServer) -> None:
    openai.body({"error": {"message": "Unrecognized request argument supplied: user"}}, status=400)
    body = {"model": "test-model", "messages": [{"role": "user", "content": "hi"}], "user": "ada", "stream": True}
    with pytest.raises(InvalidRequest):
        async with aclosing(stream_payload(openai.build_endpoint(), body, limits=QUICK)) as batches:
            async for _ in batches:
                pass
    assert (openai.protocol, len(openai.requests)) == (ProtocolName.OPENAI, 1)
