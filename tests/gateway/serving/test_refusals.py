"""Refusals have the protocol's own shape, so that each SDK raises the exception that its users expect."""

from datetime import timedelta
from typing import Any

import anthropic
import httpx
import openai
import pytest
from django.utils.timezone import now

from accounts.keys import ApiKey
from gateway.models import restrict_key
from tests.fakes import ModelServer
from tests.gateway.serving.asking import PROGRAMS, ChatProgram, MessagesProgram, tell
from tests.gateway.serving.programs import UPSTREAM_KEY, Programs, asks
from tests.steps import Abort, Answer
from upstreams.models import ChatModel, Provider

each_program = pytest.mark.parametrize("program", PROGRAMS)
each_way = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
type Program = type[MessagesProgram] | type[ChatProgram]
type Errors = tuple[type[Exception], type[Exception]]


def refused(errors: Errors, program: Program, programs: Programs, model: str = "", **options: Any) -> Any:
    """The typed exception of the program's SDK. `errors` names those of anthropic and of openai."""
    ask = options.pop("ask", {})
    with pytest.raises(errors[0] if program is MessagesProgram else errors[1]) as caught:
        program(programs, **options).ask(model or "test-anthropic", **ask)
    error: Any = caught.value
    assert type(error) is (errors[0] if program is MessagesProgram else errors[1])
    # Whoever asks about a failure can name it.
    told = error.response.headers
    assert error.request_id == told["request-id"] == told["x-request-id"] and error.request_id.startswith("req_")
    assert UPSTREAM_KEY not in error.response.text and "127.0.0.1" not in error.response.text
    if program is MessagesProgram:
        assert error.body["type"] == "error" and error.body["request_id"] == error.request_id
    return error


UNAUTHORISED = (anthropic.AuthenticationError, openai.AuthenticationError)
FORBIDDEN = (anthropic.PermissionDeniedError, openai.PermissionDeniedError)
UNKNOWN = (anthropic.NotFoundError, openai.NotFoundError)
BAD = (anthropic.BadRequestError, openai.BadRequestError)
LIMITED = (anthropic.RateLimitError, openai.RateLimitError)
FAILED = (anthropic.InternalServerError, openai.InternalServerError)
UNAVAILABLE = (anthropic.ServiceUnavailableError, openai.InternalServerError)


# Who may not ask


@each_program
@pytest.mark.parametrize("secret", ["cs-" + "x" * 40, "sk-something"])
def test_a_wrong_key_is_refused(programs: Programs, program: Program, secret: str) -> None:
    error = refused(UNAUTHORISED, program, programs, api_key=secret)
    assert "The API key is invalid" in error.message


@each_program
@pytest.mark.parametrize("end", [{"revoked_at": now()}, {"expires_at": now() - timedelta(seconds=1)}])
def test_an_expired_or_revoked_key_is_refused(programs: Programs, program: Program, end: dict[str, Any]) -> None:
    key = ApiKey(person=programs.ada, name="Old", **end)
    secret = key.renew_secret()
    key.save()
    refused(UNAUTHORISED, program, programs, api_key=secret)


def test_a_key_of_a_former_member_is_refused(programs: Programs, messages: ModelServer) -> None:
    programs.ada.is_active = False
    programs.ada.save()
    try:
        refused(UNAUTHORISED, MessagesProgram, programs)
    finally:
        programs.ada.is_active = True
        programs.ada.save()


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_either_header_carries_a_key(programs: Programs, messages: ModelServer, header: str) -> None:
    tell(messages)
    shown = programs.secret if header == "x-api-key" else f"Bearer {programs.secret}"
    body = {"model": asks(messages.protocol), "max_tokens": 9, "messages": [{"role": "user", "content": "How?"}]}
    answer = httpx.post(
        f"{programs.url}/v1/messages", json=body, headers={header: shown, "anthropic-version": "2023-06-01"}
    )
    assert answer.status_code == 200 and answer.json()["content"][0]["text"] == "Hello"


@each_program
def test_a_key_is_for_its_own_models(programs: Programs, program: Program, messages: ModelServer) -> None:
    key = ApiKey(person=programs.ada, name="One model")
    secret = key.renew_secret()
    key.save()
    restrict_key(key, ChatModel.objects.filter(model_id="test-openai"))
    error = refused(FORBIDDEN, program, programs, "test-anthropic", api_key=secret)
    assert "test-anthropic" in error.message and not messages.requests


@each_program
@each_way
def test_a_missing_model_is_not_found(programs: Programs, program: Program, is_streamed: bool) -> None:
    error = refused(UNKNOWN, program, programs, "gone", ask={"is_streamed": is_streamed})
    assert "gone" in error.message
    assert program is MessagesProgram or (error.code, error.param) == ("model_not_found", "model")


@each_program
def test_a_disabled_model_is_not_found(programs: Programs, program: Program) -> None:
    ChatModel.objects.filter(model_id="test-anthropic").update(is_enabled=False)
    try:
        refused(UNKNOWN, program, programs)
    finally:
        ChatModel.objects.filter(model_id="test-anthropic").update(is_enabled=True)


# What is asked wrongly


@each_program
@pytest.mark.parametrize(
    ("ask", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": [{"name": 5}]}, "tools.0"),
    ],
)
def test_a_wrong_field_is_named(programs: Programs, program: Program, ask: dict[str, Any], field: str) -> None:
    # The newer Messages SDK takes sampling parameters in the extra body alone.
    error = refused(BAD, program, programs, ask={"extra_body": ask})
    assert field in error.message and (program is MessagesProgram or error.param.startswith(field))


def test_content_without_equivalent_is_refused_by_path(programs: Programs, messages: ModelServer) -> None:
    error = refused(BAD, ChatProgram, programs, "test-anthropic", ask={"n": 2})
    assert error.param == "n" and not messages.requests


# What the upstream refuses


@each_program
@each_way
@pytest.mark.parametrize(
    ("status", "kind", "errors", "told"),
    [
        (400, "invalid_request_error", BAD, 400),
        (401, "authentication_error", FAILED, 502),
        (403, "permission_error", FAILED, 502),
        (404, "not_found_error", UNKNOWN, 404),
        (402, "billing_error", UNAVAILABLE, 503),
        (429, "rate_limit_error", LIMITED, 429),
        (500, "api_error", FAILED, 502),
    ],
)
def test_an_upstreams_refusal_has_the_words_of_its_kind(
    *,
    programs: Programs,
    upstream: ModelServer,
    program: Program,
    is_streamed: bool,
    status: int,
    kind: str,
    errors: Errors,
    told: int,
) -> None:
    upstream.refuse(status, kind, f"no: {UPSTREAM_KEY} at {upstream.url}")
    error = refused(errors, program, programs, asks(upstream.protocol), ask={"is_streamed": is_streamed})
    assert error.status_code == told
    entry = programs.settled()
    assert (entry.outcome, entry.usage.input_tokens, entry.usage.output_tokens) == ("failed", 0, 0)


@pytest.mark.parametrize(
    ("status", "kind", "program", "expected"),
    [
        (413, "request_too_large", MessagesProgram, "ContentTooLargeError"),
        (413, "request_too_large", ChatProgram, "APIStatusError"),
        (529, "overloaded_error", MessagesProgram, "OverloadedError"),
        (529, "overloaded_error", ChatProgram, "InternalServerError"),
        (503, "overloaded_error", MessagesProgram, "ServiceUnavailableError"),
        (503, "overloaded_error", ChatProgram, "InternalServerError"),
    ],
)
def test_rarer_refusals_have_classes_of_their_own(
    programs: Programs, messages: ModelServer, status: int, kind: str, program: Program, expected: str
) -> None:
    messages.refuse(status, kind, "no")
    sdk: Any = anthropic if program is MessagesProgram else openai
    with pytest.raises(sdk.APIStatusError) as caught:
        program(programs).ask(asks(messages.protocol))
    assert (type(caught.value).__name__, caught.value.status_code) == (expected, status)


@each_program
def test_the_wait_that_the_upstream_asks_for_is_passed_on(
    programs: Programs, upstream: ModelServer, program: Program
) -> None:
    upstream.refuse(429, "rate_limit_error", "slow down", retry_after="17")
    error = refused(LIMITED, program, programs, asks(upstream.protocol))
    assert error.response.headers["retry-after"] == "17" and len(upstream.requests) == 1


@each_program
def test_the_sdk_retries_where_that_may_help(programs: Programs, upstream: ModelServer, program: Program) -> None:
    upstream.refuse(429, "rate_limit_error", "slow down", retry_after="3")
    tell(upstream)
    waits: list[float] = []
    client = program(programs, max_retries=2)
    sdk: Any = client.client
    sdk._sleep_for_retry = lambda **asked: waits.append(asked["retries_taken"])
    assert client.ask(asks(upstream.protocol)).text == "Hello"
    assert len(waits) == 1 and len(upstream.requests) == 2


@each_program
def test_a_temporary_failure_is_retried(programs: Programs, upstream: ModelServer, program: Program) -> None:
    upstream.answer(Answer([], before=[Abort()]))
    upstream.refuse(500, "api_error", "oh")
    tell(upstream, is_streamed=True)
    assert program(programs).ask(asks(upstream.protocol), is_streamed=True).text == "Hello"
    assert len(upstream.requests) == 3


@each_program
def test_an_unreachable_upstream_is_the_sites_fault(programs: Programs, program: Program) -> None:
    provider = Provider.objects.create(
        name=f"Nowhere {program.protocol}", protocol="openai", base_url="http://127.0.0.1:9"
    )
    ChatModel.objects.create(provider=provider, model_id=f"nowhere-{program.protocol}")
    assert refused(FAILED, program, programs, f"nowhere-{program.protocol}").status_code == 502


@each_program
def test_an_unreadable_key_of_the_site_is_the_sites_fault(programs: Programs, program: Program) -> None:
    name = f"sealed-{program.protocol}"
    provider = Provider.objects.create(name=name, protocol=program.protocol, base_url="http://x", sealed_key="?")
    ChatModel.objects.create(provider=provider, model_id=name)
    error = refused(UNAVAILABLE, program, programs, name)
    assert error.status_code == 503 and error.response.headers["x-should-retry"] == "false"


@each_program
def test_a_server_of_another_kind_is_not_a_model(programs: Programs, upstream: ModelServer, program: Program) -> None:
    upstream.body(b"<html>secret intranet</html>", headers={"content-type": "text/html"})
    error = refused(FAILED, program, programs, asks(upstream.protocol))
    assert error.status_code == 502 and "intranet" not in error.response.text
