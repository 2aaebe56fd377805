"""A prompt that is too long is recognised in the words of every server."""

import json

import pytest

from tests.upstreams.protocols.reading import endpoint
from upstreams.endpoint import ProtocolName
from upstreams.protocols.refusals import find_failure, read_refusal

TO = endpoint(ProtocolName.OPENAI)


@pytest.mark.parametrize(
    "words",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "the request exceeds the available context size (4096 tokens), try increasing it",
        "Requested tokens (5000) exceed context window of 4096",
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "Input is too long for requested model.",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
    ],
)
def test_the_messages_of_many_servers_are_recognised(words: str) -> None:
    error = {"error": {"type": "invalid_request_error", "message": words}}
    assert read_refusal(TO, 400, {}, json.dumps(error).encode()).kind == "request_too_large"
    assert find_failure(TO, error).kind == "request_too_large"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens",
        "temperature: Extra inputs are not permitted",
        "messages: text content blocks must be non-empty",
        "context_management: unknown field",
        "thinking.budget_tokens must be less than max_tokens",
    ],
)
def test_other_refusals_keep_their_kind(words: str) -> None:
    error = {"error": {"type": "invalid_request_error", "message": words}}
    assert read_refusal(TO, 400, {}, json.dumps(error).encode()).kind == "invalid_request"


def test_a_failure_of_the_server_is_not_mistaken_for_it() -> None:
    error = {"error": {"type": "api_error", "message": "prompt is too long"}}
    assert read_refusal(TO, 500, {}, json.dumps(error).encode()).kind == "server_failed"
