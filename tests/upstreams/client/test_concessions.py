"""Optional fields that a server refuses: the request is sent again without them."""

from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import ModelServer
from tests.upstreams.client.asking import ASKED, QUICK, ask
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
    assert {"chat_template_kwargs", "thinking"} & set(openai.requests[-1].json) == (
        {"chat_template_kwargs", "thinking"} - {field}
    )


async def test_an_effort_of_none_is_left_out_where_it_is_refused(openai: ModelServer) -> None:
    openai.body({"error": {"message": "Unsupported value: 'reasoning_effort' does not support 'none'"}}, status=400)
    openai.say("Hello")
    endpoint = openai.build_endpoint(reasoning_effort=True)
    events = [event async for batch in stream_reply(endpoint, replace(ASKED, thinking_is_off=True)) for event in batch]
    assert events and ["reasoning_effort" in request.json for request in openai.requests] == [True, False]


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
