"""Plain HTTP without an SDK: paths, methods, headers, bodies, and unexpected errors."""

import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
from django.db import OperationalError

from gateway.serving import application
from tests.fakes import ModelServer
from tests.gateway.serving.asking import tell
from tests.gateway.serving.programs import Programs, until

ASKED = {"model": "test-anthropic", "max_tokens": 9, "messages": [{"role": "user", "content": "How?"}]}
PATHS = ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions")


@pytest.fixture(scope="module")
def http(programs: Programs) -> Iterator[httpx.Client]:
    headers = {"x-api-key": programs.secret, "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=programs.url, headers=headers) as client:
        yield client


def told(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The error in a response, which must have the shape of the path's protocol."""
    assert answer.status_code == status and answer.headers["content-type"] == "application/json"
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    said: dict[str, Any] = answer.json()
    is_chat = set(said) == {"error"}
    assert set(said["error"]) == ({"message", "type", "param", "code"} if is_chat else {"type", "message"})
    path = answer.request.url.path
    assert is_chat == ("messages" not in path) or "models" in path
    error: dict[str, Any] = said["error"]
    return error


@pytest.mark.parametrize("path", PATHS)
def test_unknown_paths_are_not_found(http: httpx.Client, path: str) -> None:
    told(http.get(path), 405)
    told(http.put(path, json=ASKED), 405)
    told(http.post(path + "/", json=ASKED), 404)
    told(http.post(path + "/more", json=ASKED), 404)
    told(http.post("/v1/models", json={}), 405)


def test_a_browsers_request_is_accepted(http: httpx.Client, messages: ModelServer) -> None:
    tell(messages)
    headers = {"sec-fetch-mode": "cors", "sec-fetch-site": "cross-site", "cookie": "sessionid=x"}
    answer = http.post("/v1/messages?beta=true", json=ASKED, headers=headers)
    assert answer.status_code == 200 and "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"hello"', b"\xff", b'{"model": NaN}'])
def test_a_body_must_be_a_json_object(http: httpx.Client, path: str, body: bytes) -> None:
    error = told(http.post(path, content=body, headers={"content-type": "application/json"}), 400)
    assert error["type"] == "invalid_request_error" and "JSON" in error["message"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_needs_its_content_type(http: httpx.Client, path: str) -> None:
    for kind in ("text/plain", "", "application/x-www-form-urlencoded"):
        assert "content-type" in told(http.post(path, content=b"{}", headers={"content-type": kind}), 400)["message"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_too_large_is_refused(http: httpx.Client, path: str, settings: Any) -> None:
    settings.GATEWAY_BODY_SIZE = 1_000_000
    # The server of this test recognises nobody, and a stranger's large body is refused before it arrives.
    settings.STRANGER_BODY_SIZE = 2_000_000
    headers = {"content-type": "application/json"}
    assert "1 MB" in told(http.post(path, content=b" " * 1_000_001, headers=headers), 413)["message"]
    # Who does not say how much comes is stopped when it has come.
    told(http.post(path, content=iter([b" " * 500_000] * 3), headers=headers), 413)


@pytest.mark.parametrize("version", ["", "latest", "2023-06-01x"])
def test_a_version_of_the_messages_api_is_a_date(programs: Programs, version: str) -> None:
    headers = {"x-api-key": programs.secret} | {"anthropic-version": version}
    answer = httpx.post(f"{programs.url}/v1/messages", json=ASKED, headers=headers)
    assert "anthropic-version" in told(answer, 400)["message"]


def test_every_version_gets_the_same_behaviour(http: httpx.Client, messages: ModelServer) -> None:
    tell(messages)
    asked = {**ASKED, "temperature": 0.5}
    assert http.post("/v1/messages", json=asked, headers={"anthropic-version": "2026-10-21"}).status_code == 200
    assert messages.requests[-1].json == asked


def test_a_request_without_a_valid_key_learns_nothing_else(programs: Programs) -> None:
    headers = {"anthropic-version": "2023-06-01", "authorization": b"Bearer \xe9\xff"}
    for path in PATHS:
        told(httpx.post(programs.url + path, content=b"{", headers=headers), 401)
        told(httpx.post(programs.url + path, json={"model": 5}, headers=headers), 401)
    told(httpx.get(f"{programs.url}/v1/models", headers=headers), 401)


def test_of_a_repeated_field_the_checked_value_is_sent(http: httpx.Client, messages: ModelServer) -> None:
    tell(messages)
    rest = b'"max_tokens": 9, "messages": [{"role": "user", "content": "How?"}], "model": "test-anthropic"}'
    body = b'{"model": "forbidden", ' + rest
    assert http.post("/v1/messages", content=body, headers={"content-type": "application/json"}).status_code == 200
    assert b"forbidden" not in messages.requests[-1].body


# Without encryption


def test_a_site_with_https_refuses_plain_requests(http: httpx.Client, messages: ModelServer, settings: Any) -> None:
    settings.HTTPS = True
    for path in PATHS:
        assert "https" in told(http.post(path, json=ASKED), 403)["message"]
    # The word of a proxy counts where there is one.
    tell(messages)
    told(http.post("/v1/messages", json=ASKED, headers={"x-forwarded-proto": "https"}), 403)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    told(http.post("/v1/messages", json=ASKED, headers={"x-forwarded-proto": "http"}), 403)
    assert http.post("/v1/messages", json=ASKED, headers={"x-forwarded-proto": "https"}).status_code == 200


# What nobody foresaw


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("fault", "status"), [(RuntimeError("at /secret/place"), 500), (OperationalError("db"), 503)])
def test_an_internal_error_reveals_nothing(
    http: httpx.Client, path: str, fault: Exception, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: object) -> None:
        raise fault

    monkeypatch.setattr(application, "_admit", fails)
    monkeypatch.setattr(application, "_admit_count", fails)
    error = told(http.post(path, json=ASKED), status)
    assert "secret" not in error["message"] and "db" not in error["message"]


def test_a_call_is_a_line_in_the_log(
    http: httpx.Client,
    programs: Programs,
    messages: ModelServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell(messages)
    monkeypatch.setattr(logging.getHandlerByName("console"), "stream", log := StringIO())
    with caplog.at_level(logging.INFO, "gateway"):
        id = http.post("/v1/messages", json=ASKED).headers["request-id"]
        until(lambda: id in log.getvalue())
    [line] = [line for line in log.getvalue().splitlines() if id in line]
    assert "POST" in line and "/v1/messages" in line and "200" in line and programs.secret not in line
    assert f"key {programs.key.pk}," in line


# Base URLs with a mistake


@pytest.mark.parametrize("path", ["/messages", "/messages/count_tokens", "/chat/completions", "/models", "/models/a/b"])
def test_a_path_without_its_beginning_is_explained(http: httpx.Client, path: str) -> None:
    for answer in (http.post(path, json=ASKED), http.get(path)):
        assert answer.status_code == 404 and answer.headers["content-type"] == "application/json"
        error = answer.json()["error"]
        assert f"Use /v1{path}" in error["message"]
        assert ("code" in error) == ("messages" not in path) or "models" in path


def test_a_path_with_its_beginning_twice_is_explained(http: httpx.Client) -> None:
    for path in PATHS:
        assert f"Use {path}:" in http.post(f"/v1{path}", json=ASKED).json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "meant", "fault"),
    [
        *((f"{path}/", path, "slash at the end") for path in (*PATHS, "/v1/models")),
        ("/chat/completions/", "/v1/chat/completions", "add /v1"),
        ("/v1//chat/completions", "/v1/chat/completions", "second slash"),
        ("/v1/v1/models/a/b", "/v1/models/a/b", "remove /v1"),
        ("/v1/chat/completions/chat/completions", "/v1/chat/completions", "remove the endpoint"),
        ("/v1/messages/v1/messages", "/v1/messages", "remove the endpoint"),
        ("/v1/chat/completions/models", "/v1/models", "remove the endpoint"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_mistaken_base_url_is_explained(http: httpx.Client, method: str, path: str, meant: str, fault: str) -> None:
    message = told(http.request(method, path), 404)["message"]
    assert f"Use {meant}:" in message and fault in message


@pytest.mark.parametrize("start", ["/v1", "", "/v1/v1"])
@pytest.mark.parametrize("end", ["", "/", "/resp_1", "/resp_1/cancel"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_responses_api_is_not_served(http: httpx.Client, method: str, start: str, end: str) -> None:
    answer = http.request(method, f"{start}/responses{end}", headers={"anthropic-version": ""})
    error = answer.json()["error"]
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert "does not serve the Responses API" in error["message"]
    assert "/v1/chat/completions" in error["message"] and "/v1/messages" in error["message"]


@pytest.mark.parametrize("start", ["/v1", "", "/v1/v1"])
@pytest.mark.parametrize("api", ["/completions", "/embeddings"])
@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_apis_are_not_served(http: httpx.Client, method: str, start: str, api: str, end: str) -> None:
    message = told(http.request(method, f"{start}{api}{end}"), 404)["message"]
    assert f"does not serve /v1{api}" in message and "/v1/chat/completions" in message


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/images/generations", "/v1/threads/a/messages", "/v1/models2"])
def test_an_unknown_path_is_answered_with_those_that_exist(http: httpx.Client, path: str) -> None:
    for answer in (http.post(path, json=ASKED), http.get(path)):
        assert answer.status_code == 404 and "serves /v1/messages" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/responsestudy", "/model", "/completions2", "/"])
def test_other_paths_are_pages(http: httpx.Client, path: str) -> None:
    assert "json" not in http.get(path).headers["content-type"]
