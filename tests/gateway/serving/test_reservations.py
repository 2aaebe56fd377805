"""A call reserves what its upstream may really write, whatever the fields of the request say."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.serving.output_limits import OVERRULING_FIELDS, UNKNOWN_MAXIMUM
from ledger.booking.entries import DEFAULT_MAX_TOKENS
from ledger.models import Budget, Entry, Spending
from ledger.token_estimates import estimate_prompt
from tests.fakes import ModelServer
from tests.gateway.serving.asking import tell, whole
from tests.gateway.serving.programs import Programs, asks, until
from tests.steps import Gate
from tests.wires import reply_wire
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel, Provider

MESSAGES, CHAT = "/v1/messages", "/v1/chat/completions"
QUESTION = [{"role": "user", "content": "How?"}]
OUTPUT_LIMIT = 8000

each_path = pytest.mark.parametrize("path", [MESSAGES, CHAT])


@pytest.fixture(scope="module")
def http(programs: Programs) -> Iterator[httpx.Client]:
    headers = {"x-api-key": programs.secret, "anthropic-version": "2023-06-01"}
    with httpx.Client(base_url=programs.url, headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
def books(programs: Programs) -> Iterator[None]:
    """An empty ledger before, and no budgets afterwards."""
    programs.forget_calls()
    yield
    programs.until_settled()
    Budget.objects.all().delete()
    ChatModel.objects.update(max_output_tokens=None, context_window=None)
    Provider.objects.update(max_tokens_field="max_tokens")
    programs.forget_calls()


def ask(http: httpx.Client, path: str, upstream: ModelServer, **fields: Any) -> httpx.Response:
    body = {"model": asks(upstream.protocol), "messages": QUESTION, **fields}
    if path == MESSAGES:
        body.setdefault("max_tokens", 100)
    return http.post(path, json=body)


def count_allowed(sent: dict[str, Any], field: str) -> int | None:
    """The output tokens that the upstream was allowed in all answers together, None without a limit."""
    has_limit = sent.get(field) is not None and sent[field] > 0
    return sent[field] * (sent.get("n") or 1) if has_limit else None


CHEATS: list[dict[str, Any]] = [
    {"max_tokens": 1_000_000, "n": -2_000_000},
    {"max_tokens": 5_000_000, "n": -3},
    {"max_tokens": 5_000_000, "n": 0},
    {"max_tokens": 5_000_000, "n": 0.0001},
    {"max_tokens": 5_000_000, "n": "1"},
    {"max_tokens": 5_000_000, "n": False},
    {"max_tokens": 5_000_000, "n": 2**70},
    {"max_tokens": 5_000_000, "max_completion_tokens": 1},
    {"max_tokens": 1, "max_completion_tokens": 5_000_000},
    {"max_tokens": 5_000_000, "max_completion_tokens": -1},
    {"max_tokens": 5_000_000, "max_completion_tokens": 0},
    {"max_tokens": 5_000_000, "max_completion_tokens": None},
    {"max_tokens": 5_000_000, "max_completion_tokens": "1"},
    {"max_tokens": 5_000_000, "max_completion_tokens": True},
    {"max_tokens": 1, "best_of": 100},
    {"max_tokens": 1, "extra_body": {"max_tokens": 5_000_000, "n": 100}},
    {"max_tokens": 1, "options": {"num_predict": -1}},
    {"max_tokens": 1, "extra_body": {"extra_body": {"options": {"max_tokens": 5_000_000}}}},
    {"max_tokens": 1, **dict.fromkeys(sorted(OVERRULING_FIELDS), 5_000_000)},
    {"max_tokens": 100_000_000},
    {"max_tokens": 10**15},
    {"max_tokens": 1e15},
    {"max_tokens": -1},
    {"max_tokens": 1.0},
    {"max_tokens": True},
    {"max_tokens": "5000000"},
    {"max_tokens": [5_000_000]},
    {"max_tokens": 100, "n": 128},
]


@each_path
@pytest.mark.parametrize("cheat", CHEATS, ids=str)
def test_a_cheat_is_refused_or_reserved_in_full(
    books: None, http: httpx.Client, programs: Programs, upstream: ModelServer, path: str, cheat: dict[str, Any]
) -> None:
    tell(upstream)
    answer = ask(http, path, upstream, **cheat)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert not Entry.objects.exists() and not upstream.requests
        return
    entry, sent = programs.settled(), upstream.requests[-1].json
    allowed = count_allowed(sent, "max_tokens")
    if allowed is None:
        # The upstream was told that there is no limit.
        assert sent["max_tokens"] == cheat.get("max_completion_tokens", cheat["max_tokens"]) < 1
        allowed = DEFAULT_MAX_TOKENS
    assert entry.reserved_tokens == entry.prompt_estimate + allowed
    assert 0 < allowed <= UNKNOWN_MAXIMUM * (sent.get("n") or 1)
    assert not OVERRULING_FIELDS & list_fields(sent)
    assert upstream.protocol is ProtocolName.OPENAI or not {"n", "max_completion_tokens"} & set(sent)


def list_fields(sent: dict[str, Any]) -> set[str]:
    """The names of all fields that a server may take for fields of the request."""
    inner = [sent[name] for name in ("extra_body", "options") if isinstance(sent.get(name), dict)]
    return {*sent}.union(*map(list_fields, inner))


odd_numbers = st.sampled_from([None, 0, 1, -1, 2, 128, 129, 4096, 10**6, 10**8, 10**9, 2**63, -(2**63), 2**64, 10**30])
odd_values = odd_numbers | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
odd_values |= st.sampled_from(["1", "", [1], {"max": 1}, -0.0, 1e300])
limit_fields = st.sampled_from(
    ["max_tokens", "max_completion_tokens", "n", "thinking_budget", "best_of", *sorted(OVERRULING_FIELDS)]
)
nested = st.sampled_from(["extra_body", "options", "thinking", "reasoning", "metadata"])
limits = st.dictionaries(limit_fields, odd_values, max_size=4)
thinking = st.fixed_dictionaries({"type": st.just("enabled"), "budget_tokens": odd_values})


@pytest.mark.parametrize("protocol", list(ProtocolName))
@each_path
@given(
    limits=limits,
    inner=st.dictionaries(nested, limits | thinking, max_size=2),
    known=st.sampled_from([None, 1, 1500, OUTPUT_LIMIT]),
    field=st.sampled_from(["max_tokens", "max_completion_tokens"]),
)
def test_the_reservation_covers_what_the_upstream_is_allowed(
    books: None,
    http: httpx.Client,
    programs: Programs,
    protocol: ProtocolName,
    path: str,
    limits: dict[str, Any],
    inner: dict[str, Any],
    known: int | None,
    field: str,
) -> None:
    upstream = programs.fresh(protocol)
    upstream.body(whole(protocol))
    ChatModel.objects.update(max_output_tokens=known)
    Provider.objects.update(max_tokens_field=field)
    before = Entry.objects.count()
    answer = ask(http, path, upstream, **inner, **limits)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert Entry.objects.count() == before and not upstream.requests
        return
    entry, sent = programs.settled(), upstream.requests[-1].json
    answers = sent.get("n") or 1
    assert entry.prompt_estimate > 0 and entry.reserved_cost == 0
    reserved = entry.reserved_tokens - entry.prompt_estimate
    allowed = count_allowed(sent, field if protocol is ProtocolName.OPENAI else "max_tokens")
    assert (allowed or 0) <= reserved <= (known or UNKNOWN_MAXIMUM) * answers
    other = {"max_tokens", "max_completion_tokens"} - {field if protocol is ProtocolName.OPENAI else "max_tokens"}
    assert not (OVERRULING_FIELDS | other) & list_fields(sent)


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking_budget": 5000},
        {"reasoning": {"max_tokens": 5000.0}},
        {"reasoning": {"max_tokens": "5e3"}},
        {"thinking": {"type": "enabled", "budget_tokens": 4999.5}},
        {"chat_template_kwargs": {"thinking_budget": 5000}},
        {"extra_body": {"chat_template_kwargs": {"thinking_budget": 5000}}},
        {"extra_body": {"extra_body": {"thinking_budget": 5000}}},
        {"thinking_budget": OUTPUT_LIMIT},
        {"thinking_budget": 10**15},
    ],
    ids=lambda fields: str(fields)[:80],
)
def test_a_budget_for_thinking_is_reserved_beside_the_limit(
    books: None, http: httpx.Client, programs: Programs, chat: ModelServer, fields: dict[str, Any]
) -> None:
    ChatModel.objects.update(max_output_tokens=OUTPUT_LIMIT)
    tell(chat)
    assert ask(http, CHAT, chat, max_tokens=100, **fields).status_code == 200
    entry = programs.settled()
    is_large = fields.get("thinking_budget", 0) > 5000
    assert entry.reserved_tokens - entry.prompt_estimate == (OUTPUT_LIMIT if is_large else 5100)


@pytest.mark.parametrize("n", [1, 5])
def test_each_answer_without_a_limit_is_reserved(
    books: None, http: httpx.Client, programs: Programs, chat: ModelServer, n: int
) -> None:
    ChatModel.objects.update(max_output_tokens=OUTPUT_LIMIT)
    tell(chat)
    assert ask(http, CHAT, chat, n=n).status_code == 200
    entry = programs.settled()
    assert entry.reserved_tokens == entry.prompt_estimate + n * OUTPUT_LIMIT


@pytest.mark.parametrize(("window", "most"), [(20_000, 20_000), (10_000_000, UNKNOWN_MAXIMUM)])
@pytest.mark.parametrize("fields", [{}, {"max_tokens": -1}, {"n": 2}], ids=str)
def test_an_answer_without_a_limit_reserves_the_context_window_if_only_that_is_known(
    books: None,
    http: httpx.Client,
    programs: Programs,
    chat: ModelServer,
    window: int,
    most: int,
    fields: dict[str, Any],
) -> None:
    ChatModel.objects.update(context_window=window)
    tell(chat)
    assert ask(http, CHAT, chat, **fields).status_code == 200
    entry = programs.settled()
    assert entry.reserved_tokens == entry.prompt_estimate + most * fields.get("n", 1)


def test_no_output_reserves_the_prompt_alone(
    books: None, http: httpx.Client, programs: Programs, messages: ModelServer
) -> None:
    tell(messages)
    assert ask(http, MESSAGES, messages, max_tokens=0).status_code == 200
    entry = programs.settled()
    assert entry.reserved_tokens == entry.prompt_estimate == estimate_prompt({"messages": QUESTION})


@pytest.mark.parametrize(("window", "most"), [(2000, 2000), (10_000_000, UNKNOWN_MAXIMUM)])
def test_an_answer_is_not_longer_than_the_context_window(
    books: None, http: httpx.Client, upstream: ModelServer, window: int, most: int
) -> None:
    ChatModel.objects.update(context_window=window)
    tell(upstream)
    assert ask(http, MESSAGES, upstream, max_tokens=1_000_000).status_code == 200
    assert upstream.requests[-1].json["max_tokens"] == most


def test_the_server_gets_the_limit_in_the_field_that_it_knows(
    books: None, http: httpx.Client, chat: ModelServer
) -> None:
    Provider.objects.update(max_tokens_field="max_completion_tokens")
    for fields in ({"max_tokens": 7}, {"max_completion_tokens": 7}, {"max_tokens": 9, "max_completion_tokens": 7}):
        chat.forget()
        tell(chat)
        assert ask(http, CHAT, chat, **fields).status_code == 200
        sent = chat.requests[-1].json
        assert sent["max_completion_tokens"] == 7 and "max_tokens" not in sent


def test_a_removed_field_is_named(books: None, http: httpx.Client, upstream: ModelServer) -> None:
    tell(upstream)
    answer = ask(http, CHAT, upstream, max_tokens=9, n_predict=-1, extra_body={"n": 3, "top_a": 1})
    assert answer.status_code == 200
    assert {"n_predict", "extra_body.n"} <= set(answer.headers["x-dropped-params"].split(","))


def test_a_thinking_budget_above_the_models_output_limit_is_refused(
    books: None, http: httpx.Client, upstream: ModelServer
) -> None:
    ChatModel.objects.update(max_output_tokens=2000)
    answer = ask(http, MESSAGES, upstream, max_tokens=9000, thinking={"type": "enabled", "budget_tokens": 8000})
    assert answer.status_code == 400 and not upstream.requests
    assert answer.json()["error"]["message"] == (
        "thinking.budget_tokens: must be less than this model's output limit of 2000 tokens."
    )


@each_path
def test_parallel_cheats_leave_a_shared_budget_as_it_was(
    books: None, http: httpx.Client, programs: Programs, upstream: ModelServer, path: str
) -> None:
    budget = Budget.objects.create(scope="site", period="month", unit="tokens", limit=10_000)
    tell(upstream)
    with ThreadPoolExecutor(4) as pool:
        cheats = [pool.submit(ask, http, path, upstream, max_tokens=1_000_000, n=-2_000_000) for _ in range(4)]
    statuses = {cheat.result().status_code for cheat in cheats}
    programs.until_settled()
    assert statuses <= {200, 400, 429}
    spent = sum(entry.tokens for entry in Entry.objects.all())
    assert set(Spending.objects.filter(budget=budget).values_list("spent", "reserved")) <= {(spent, 0)}
    assert ask(http, path, upstream, max_tokens=100).status_code == 200


@each_path
def test_an_exaggerated_limit_does_not_hold_a_shared_budget_while_it_streams(
    books: None, http: httpx.Client, programs: Programs, upstream: ModelServer, path: str
) -> None:
    Budget.objects.create(scope="site", period="month", unit="tokens", limit=1_000_000)
    gate = Gate()
    upstream.stream(gate, *reply_wire(upstream.protocol, ["Hello"], usage={"input_tokens": 10, "output_tokens": 20}))
    tell(upstream, is_streamed=True)
    with ThreadPoolExecutor(1) as pool:
        exaggerated = pool.submit(ask, http, path, upstream, max_tokens=100_000_000, stream=True)
        until(lambda: len(upstream.requests) == 1)
        assert ask(http, path, upstream, max_tokens=100, stream=True).status_code == 200
        gate.open()
        assert exaggerated.result().status_code == 200
