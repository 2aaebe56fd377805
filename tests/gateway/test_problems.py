"""Clients see the kind of an upstream's failure, and nothing internal to the site."""

import pytest

from gateway.problems import Problem
from upstreams import errors
from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.protocols.refusals import read_refusal

AT = Endpoint("Our provider", ProtocolName.OPENAI, "http://10.0.0.7:8000/v1", "sk-very-secret")


@pytest.mark.parametrize(
    ("failure", "status", "kind", "should_retry"),
    [
        (errors.AuthenticationFailed, 502, "api_error", False),
        (errors.PermissionRefused, 502, "api_error", False),
        (errors.UnknownModel, 404, "not_found_error", False),
        (errors.InvalidRequest, 400, "invalid_request_error", False),
        (errors.RequestTooLarge, 400, "invalid_request_error", False),
        (errors.RateLimited, 429, "rate_limit_error", None),
        (errors.QuotaExhausted, 503, "api_error", False),
        (errors.Overloaded, 529, "overloaded_error", None),
        (errors.ServerFailed, 502, "api_error", None),
        (errors.Unreachable, 502, "api_error", None),
        (errors.NotAModelServer, 502, "api_error", False),
        (errors.BrokenStream, 502, "api_error", None),
        (errors.Stalled, 504, "timeout_error", False),
        (errors.EmptyReply, 502, "api_error", False),
        (errors.ReplyTooLarge, 502, "api_error", False),
        (errors.UpstreamError, 502, "api_error", False),
    ],
)
def test_a_failure_has_the_words_of_its_kind(
    failure: type[errors.UpstreamError], status: int, kind: str, should_retry: bool | None
) -> None:
    problem = Problem.of(failure.at("Our provider", detail="host db-7.internal:5432 at http://10.0.0.7:8000/v1"))
    assert (problem.status, problem.kind, problem.should_retry) == (status, kind, should_retry)
    for secret in ("Our provider", "db-7", "10.0.0.7", "8000"):
        assert secret not in problem.message


@pytest.mark.parametrize(
    ("answered", "status", "kind"),
    [
        (400, 400, "invalid_request_error"),
        (401, 502, "api_error"),
        (402, 503, "api_error"),
        (403, 502, "api_error"),
        (404, 404, "not_found_error"),
        (413, 413, "request_too_large"),
        (422, 422, "invalid_request_error"),
        (429, 429, "rate_limit_error"),
        (500, 502, "api_error"),
        (503, 503, "api_error"),
        (529, 529, "overloaded_error"),
    ],
)
def test_an_upstreams_status_is_kept_if_the_client_can_act_on_it(answered: int, status: int, kind: str) -> None:
    problem = Problem.of(
        read_refusal(AT, answered, {"retry-after": "7"}, b'{"error":{"message":"sk-very-secret is wrong"}}')
    )
    assert (problem.status, problem.kind, problem.retry_after) == (status, kind, 7)
    assert "secret" not in problem.message


@pytest.mark.parametrize("failure", [errors.InvalidRequest, errors.RequestTooLarge])
def test_the_upstreams_words_are_passed_on_without_addresses(failure: type[errors.UpstreamError]) -> None:
    detail = "tools.0.name: vllm:8000, ('10.0.0.7', 8000) and lookup vllm say no at /srv/app.py"
    message = Problem.of(failure.at("P", detail=detail, status=400)).message
    assert message.startswith("tools.0.name: …") and "say no" in message
    assert not [secret for secret in ("vllm", "8000", "10.0.0.7", "srv", "app") if secret in message]


def test_the_upstreams_words_name_the_field() -> None:
    problem = Problem.of(errors.InvalidRequest.at("P", detail="tools.0.name: too long", status=400))
    assert problem.message == "tools.0.name: too long"


def test_a_conversation_that_is_too_long_has_the_code_that_clients_look_for() -> None:
    problem = Problem.of(errors.RequestTooLarge.at("P", detail="prompt is too long: 7 tokens > 5", status=400))
    assert (problem.code, problem.message) == ("context_length_exceeded", "prompt is too long: 7 tokens > 5")


def test_no_wait_is_longer_than_sdks_accept() -> None:
    assert Problem.of(errors.RateLimited.at("P", retry_after=3600)).retry_after == 60
    assert Problem.of(errors.RateLimited.at("P")).retry_after is None


def test_an_upstream_may_forbid_retries() -> None:
    assert Problem.of(errors.RateLimited.at("P", retryable=False)).should_retry is False


def of_server(status: int, body: bytes, **headers: str) -> Problem:
    return Problem.of(read_refusal(AT, status, headers, body))


@pytest.mark.parametrize(
    "words",
    [
        "Conversation roles must alternate user/assistant/user/assistant/",
        "System role not supported",
        "qwen2.5:14b does not support tools",
        "model requires more system memory (9.1 GiB) than is available (3.2 GiB)",
        "TypeError: can only concatenate str (not NoneType) to str",
        "1 validation error for ChatRequest",
        "invalid JSON schema in response_format",
    ],
)
def test_an_internal_error_about_the_request_keeps_its_words_and_is_not_repeated(words: str) -> None:
    problem = of_server(500, b'{"error":{"message":"%b at http://10.0.0.7:8000/v1"}}' % words.encode())
    assert (problem.status, problem.kind, problem.should_retry) == (502, "api_error", False)
    assert words.split(" (")[0] in problem.message and "10.0.0.7" not in problem.message


def test_an_internal_error_that_may_pass_keeps_its_words_and_may_be_repeated() -> None:
    problem = of_server(500, b'{"error":{"message":"CUDA out of memory"}}')
    assert "CUDA out of memory" in problem.message and problem.should_retry is None
    assert of_server(500, b'{"error":"invalid"}', **{"x-should-retry": "true"}).should_retry is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"Internal Server Error"),
        (500, b"<html><h1>Traceback of intranet</h1></html>"),
        (500, b""),
        (500, b'{"error":{"message":"Internal server error."}}'),
        (502, b'{"error":{"message":"intranet is invalid"}}'),
        (504, b"intranet timed out"),
    ],
)
def test_words_that_do_not_help_are_left_out(status: int, body: bytes) -> None:
    assert of_server(status, body).message == "The model's provider reported an internal error."
