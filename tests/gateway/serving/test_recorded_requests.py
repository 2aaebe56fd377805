"""Requests of real command-line clients, recorded with their headers in the middle of a conversation.

`recorded/` has one file for each. Long texts and most tools are left out. KEY is in the place of the API key.
"""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.fakes import ModelServer
from tests.gateway.serving.programs import Programs, asks
from upstreams.endpoint import ProtocolName

RECORDED = Path(__file__).parent / "recorded"


class Case(NamedTuple):
    client: str
    dropped: str = ""
    """The fields that a server of the other protocol does not get."""
    changed: Collection[str] = ()
    """The fields that a server of the same protocol gets in another form."""


NO_THINKING = "thinking,output_config.effort,context_management"
NO_EAGERNESS = "tools.0.eager_input_streaming,tools.1.eager_input_streaming"

CASES = [
    # The ledger needs the usage of a stream.
    Case("aider-chat", changed=["stream_options"]),
    Case("aider-messages", "thinking"),
    # It answers a Chat Completions server, whose thinking has no signature for another.
    Case("claude-code-adaptive", NO_THINKING, changed=["messages"]),
    Case("claude-code-image", "thinking,context_management"),
    Case("claude-code-title", "output_config.effort"),
    Case("claude-code-tool", "thinking,context_management"),
    Case("cline-chat", "reasoning_effort"),
    Case("continue-chat"),
    Case("continue-messages"),
    Case("llm-schema"),
    Case("llm-tool"),
    Case("opencode-chat"),
    Case("opencode-messages", f"{NO_EAGERNESS},thinking"),
    # A provider has one of the two names.
    Case("pi-chat", "reasoning_effort", changed=["max_tokens", "max_completion_tokens"]),
    Case("pi-messages", f"{NO_EAGERNESS},thinking"),
    Case("qwen-code"),
]


class Recording:
    def __init__(self, client: str) -> None:
        recorded = json.loads((RECORDED / f"{client}.json").read_text())
        self.path, self.headers, self.body = recorded["path"], recorded["headers"], recorded["body"]
        is_messages = self.path.startswith("/v1/messages")
        self.protocol = ProtocolName.ANTHROPIC if is_messages else ProtocolName.OPENAI

    def send(self, http: httpx.Client, programs: Programs, model: str) -> httpx.Response:
        headers = {name: value.replace("KEY", programs.secret) for name, value in self.headers.items()}
        return http.post(self.path, headers=headers, json={**self.body, "model": model})


@pytest.fixture(scope="module")
def http(programs: Programs) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=programs.url, timeout=20) as client:
        yield client


def text_in(protocol: ProtocolName, stream: str) -> str:
    events = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: {")]
    return "".join(_text_of(protocol, json.loads(event)) for event in events)


def _text_of(protocol: ProtocolName, event: dict[str, Any]) -> str:
    if protocol is ProtocolName.ANTHROPIC:
        return str(event.get("delta", {}).get("text", ""))
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])


def unchanged(body: dict[str, Any], case: Case) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in case.changed}


def test_every_recording_is_used() -> None:
    used = {case.client for case in CASES} | {"claude-code-context", "claude-code-search"}
    assert used == {path.stem for path in RECORDED.iterdir()}


@pytest.mark.parametrize("case", CASES, ids=[case.client for case in CASES])
def test_a_server_of_the_same_protocol_gets_the_request_as_it_was_sent(
    programs: Programs, http: httpx.Client, case: Case
) -> None:
    recording = Recording(case.client)
    upstream = programs.fresh(recording.protocol)
    upstream.say("Hel", "lo")
    answer = recording.send(http, programs, asks(recording.protocol))
    assert answer.status_code == 200, answer.text
    assert text_in(recording.protocol, answer.text) == "Hello"
    assert "x-dropped-params" not in answer.headers
    [received] = upstream.requests
    assert unchanged(received.json, case) == unchanged({**recording.body, "model": asks(recording.protocol)}, case)
    assert received.headers.get("anthropic-beta") == recording.headers.get("anthropic-beta")


@pytest.mark.parametrize("case", CASES, ids=[case.client for case in CASES])
def test_a_server_of_the_other_protocol_gets_what_it_understands(
    programs: Programs, http: httpx.Client, case: Case
) -> None:
    recording = Recording(case.client)
    [other] = set(ProtocolName) - {recording.protocol}
    upstream = programs.fresh(other)
    upstream.say("Hel", "lo")
    answer = recording.send(http, programs, asks(other))
    assert answer.status_code == 200, answer.text
    assert text_in(recording.protocol, answer.text) == "Hello"
    assert answer.headers.get("x-dropped-params", "") == case.dropped


def test_claude_code_counts_tokens(programs: Programs, http: httpx.Client, messages: ModelServer) -> None:
    messages.count = 123
    answer = Recording("claude-code-context").send(http, programs, asks(messages.protocol))
    assert answer.json() == {"input_tokens": 123}
    answer = Recording("claude-code-context").send(http, programs, asks(ProtocolName.OPENAI))
    assert answer.json()["input_tokens"] > 0 and answer.headers["x-token-count"] == "estimate"


def test_a_search_of_claude_code_is_only_for_models_that_have_it(
    programs: Programs, http: httpx.Client, messages: ModelServer
) -> None:
    recording = Recording("claude-code-search")
    messages.say("Hel", "lo")
    assert recording.send(http, programs, asks(messages.protocol)).status_code == 200
    assert messages.requests[-1].json["tools"] == recording.body["tools"]
    refused = recording.send(http, programs, asks(ProtocolName.OPENAI))
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "tools.0.type" in refused.json()["error"]["message"]
