"""Numbers that fit no column: programs that send them get a 400, and upstreams that report them get an estimate."""

import http.client
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ledger.models import Budget, Outcome
from ledger.models.budget import MAX_MONEY
from tests.fakes import ModelServer
from tests.gateway.serving.asking import whole
from tests.gateway.serving.programs import Programs, asks
from upstreams.endpoint import ProtocolName
from upstreams.events import MAX_TOKENS
from upstreams.models import ChatModel

HUGE = ["2147483648", str(2**63 - 1), str(2**63), "1" + "0" * 30, "1e400", str(-(2**63))]
MESSAGES, CHAT, COUNT = "/v1/messages", "/v1/chat/completions", "/v1/messages/count_tokens"
ODD = [10**30, 1e25, 2**63 - 1, 2**62, -1, True, 1.5]
QUESTION = [{"role": "user", "content": "How?"}]

each_way = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
each_path = pytest.mark.parametrize("path", [MESSAGES, CHAT])
each_model = pytest.mark.parametrize("protocol", list(ProtocolName))


def post(programs: Programs, path: str, body: str) -> tuple[int, str]:
    """Without an SDK, which could not send or read such numbers."""
    connection = http.client.HTTPConnection("127.0.0.1", programs.port, timeout=20)
    headers = {"authorization": f"Bearer {programs.secret}", "anthropic-version": "2023-06-01"}
    try:
        connection.request("POST", path, body, {**headers, "content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def write_body(protocol: ProtocolName, field: str, number: str, *, is_streamed: bool) -> str:
    """JSON by hand, since no number of Python is written as 1e400."""
    body: dict[str, Any] = {"model": asks(protocol), "max_tokens": 2000, "stream": is_streamed, "messages": QUESTION}
    if field == "thinking.budget_tokens":
        body["thinking"] = {"type": "enabled", "budget_tokens": "HUGE"}
    else:
        body[field] = "HUGE"
    return json.dumps(body).replace('"HUGE"', number)


@each_model
@each_way
@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    ("path", "field"),
    [
        *((MESSAGES, field) for field in ("max_tokens", "top_k", "thinking.budget_tokens")),
        *((CHAT, field) for field in ("max_tokens", "max_completion_tokens", "n", "top_logprobs")),
        (COUNT, "thinking.budget_tokens"),
    ],
)
def test_a_huge_number_is_refused_at_its_field(
    programs: Programs, protocol: ProtocolName, path: str, field: str, number: str, is_streamed: bool
) -> None:
    status, text = post(programs, path, write_body(protocol, field, number, is_streamed=is_streamed))
    answer = json.loads(text)
    assert status == 400 and answer["error"]["type"] == "invalid_request_error"
    if number == "1e400":
        # The parser refuses the whole body, as no double is so large.
        return
    assert answer["error"]["message"].startswith(f"{field}: ")
    assert (answer["error"]["param"] == field) if path == CHAT else (answer["type"] == "error")


@each_model
@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    "block",
    [
        '{"type": "image", "width": HUGE, "height": HUGE, "source": {"type": "url", "url": "http://x"}}',
        '{"type": "image", "width": "a", "height": HUGE, "source": {"type": "url", "url": "http://x"}}',
        '{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a", "pages": HUGE}}',
        '{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a", "size": HUGE}}',
    ],
)
def test_a_huge_number_in_a_file_is_harmless(
    programs: Programs, protocol: ProtocolName, number: str, block: str
) -> None:
    programs.fresh(protocol).body(whole(protocol))
    content = "[" + block.replace("HUGE", number) + "]"
    body = f'{{"model": "{asks(protocol)}", "max_tokens": 9, "messages": [{{"role": "user", "content": {content}}}]}}'
    for path in (MESSAGES, COUNT):
        assert post(programs, path, body)[0] == (400 if number == "1e400" else 200)


@pytest.fixture
def highest_prices(programs: Programs) -> Iterator[None]:
    """The highest prices and the largest budget that can be entered."""
    models = ChatModel.objects.filter(provider__name__startswith="Testing")
    models.update(input_price=Decimal("999999.9999"), output_price=Decimal("999999.9999"))
    budget = Budget.objects.create(scope="site", unit="money", period="month", limit=MAX_MONEY)
    yield
    programs.until_settled()
    budget.delete()
    models.update(input_price=None, output_price=None)
    programs.forget_calls()


@each_path
@each_way
def test_the_largest_request_is_reserved_at_the_highest_price(
    highest_prices: None, programs: Programs, upstream: ModelServer, path: str, is_streamed: bool
) -> None:
    answers = 128 if path == CHAT and upstream.protocol is ProtocolName.OPENAI else 1
    body = {"model": asks(upstream.protocol), "max_tokens": MAX_TOKENS, "n": answers, "stream": is_streamed}
    prepare(upstream, MAX_TOKENS, is_streamed=is_streamed)
    status, text = post(programs, path, json.dumps({**body, "messages": QUESTION}))
    assert status == 200 and is_hello(text)
    assert programs.settled().usage.output_tokens == MAX_TOKENS


@each_path
@each_way
@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_reply_with_impossible_counts_is_settled_as_an_estimate(
    programs: Programs, upstream: ModelServer, path: str, is_streamed: bool, odd: Any
) -> None:
    body = {"model": asks(upstream.protocol), "max_tokens": 2000, "stream": is_streamed, "messages": QUESTION}
    prepare(upstream, odd, is_streamed=is_streamed)
    status, text = post(programs, path, json.dumps(body))
    assert status == 200 and is_hello(text)
    entry = programs.settled()
    assert (entry.outcome, entry.is_estimate) == (Outcome.COMPLETE, True)
    assert entry.usage.input_tokens in range(1, 100) and entry.usage.output_tokens in range(1, 100)


def prepare(upstream: ModelServer, count: Any, *, is_streamed: bool) -> None:
    """A reply that reports this count of tokens for the prompt and for the answer."""
    if is_streamed:
        upstream.say("Hel", "lo", input_tokens=count, output_tokens=count)
    else:
        names = ("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens")
        upstream.body(whole(upstream.protocol, usage=dict.fromkeys(names, count)))


def is_hello(text: str) -> bool:
    return "Hello" in text or ("Hel" in text and '"lo"' in text)
