"""Every call for an answer is in the ledger, with the upstream's figures or with marked estimates."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from chatsite.process import tasks
from conversations.answering import replies, upstream_call
from conversations.models import Conversation, Generation, Message, State
from conversations.upkeep import recovery
from conversations.verbs import turns
from ledger.models import Budget, Entry, Outcome, RateLimit, Spending
from ledger.reports import usage
from tests.conversations.answering.tool_wires import calling
from tests.conversations.asking import Opening, begin_and_hang, open_half_way, provider_at, queue_turn
from tests.conversations.cutting import broken_reply
from tests.fakes import ModelServer
from tests.steps import Gate
from tests.wires import messages_event, reply_wire
from tools.catalogue import sync_builtin_tools
from tools.models import Tool
from upstreams.endpoint import ProtocolName
from upstreams.events import MAX_TOKENS, Usage
from upstreams.models import ChatModel

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("loop_left_clean")]

type Asking = Callable[..., Awaitable[Generation]]


@pytest.fixture
def ask(ada: User, conversation: Conversation) -> Asking:
    """`await ask(model)` posts a turn of Ada's and returns its generation at the end."""

    async def asked(model: ChatModel, text: str = "Well?") -> Generation:
        generation = await sync_to_async(queue_turn)(conversation, ada, text, model)
        await replies.generate.func(generation.pk)
        return await Generation.objects.select_related("message").aget(pk=generation.pk)

    return asked


@pytest.fixture
def tool(conversation: Conversation) -> Tool:
    """A built-in tool that everyone may use."""
    sync_builtin_tools()
    tool = Tool.objects.get(name="read_attached_file")
    conversation.tools.add(tool)
    return tool


async def all_entries() -> list[Entry]:
    return [entry async for entry in Entry.objects.order_by("pk")]


async def test_an_answer_is_booked_to_the_person_who_asked(
    ask: Asking, ada: User, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.say("Yes.", input_tokens=1000, output_tokens=200)
    reply = await ask(either_model)
    [entry] = await all_entries()
    assert (entry.person_id, entry.source, entry.request_id) == (ada.pk, "conversation", str(reply.pk))
    assert (entry.usage, entry.is_estimate) == (reply.usage, False)
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (1000, 200)
    assert entry.cost == reply.cost == Decimal("0.006")
    assert entry.outcome == Outcome.COMPLETE
    assert entry.upstream_id in ("msg_test", "chatcmpl-test")
    assert entry.seconds is not None and entry.seconds_to_first is not None


async def test_sums_match_the_upstream_to_the_token(
    ask: Asking, ada: User, either_server: ModelServer, either_model: ChatModel, tool: Tool
) -> None:
    """A mix of plain answers, tool rounds, thinking and attempts that are refused and repeated."""
    chance, billed = random.Random(5), Usage(0, 0)
    protocol = either_server.protocol
    for _ in range(8):
        either_server.forget()
        for _ in range(chance.choice([0, 0, 1])):
            either_server.refuse(529, "overloaded_error")
        for _ in range(chance.choice([0, 1, 2])):
            either_server.stream(*calling(protocol, ("call_1", tool.wire_name, {"file": "x"})))
            billed += Usage(10, 20)
        read, written = chance.randint(1, 5000), chance.randint(1, 5000)
        either_server.say("Yes.", thinking=["Hm."], input_tokens=read, output_tokens=written)
        billed += Usage(read, written)
        assert (await ask(either_model)).state == State.COMPLETE
    booked = await all_entries()
    assert not any(entry.is_estimate for entry in booked)
    assert all(entry.outcome == Outcome.COMPLETE for entry in booked)
    days = usage.DateRange(booked[0].started_at.date(), booked[-1].started_at.date())
    whole = await sync_to_async(usage.get_totals)(days)
    year = await sync_to_async(usage.get_totals)(usage.DateRange(days.first.replace(month=1, day=1), days.last))
    for total in (whole, year):
        assert (total.input_tokens, total.output_tokens) == (billed.input_tokens, billed.output_tokens)
        assert (total.calls, total.cost) == (len(booked), sum(entry.cost or 0 for entry in booked))
    answers = await sync_to_async(list)(Generation.objects.all())
    assert sum((answer.usage for answer in answers), Usage()) == sum((entry.usage for entry in booked), Usage())


@pytest.mark.parametrize("odd", [10**30, 1e25, 2**63 - 1, 2**62, -1, True], ids=str)
async def test_impossible_counts_are_booked_as_estimates(
    ask: Asking, either_server: ModelServer, either_model: ChatModel, odd: Any
) -> None:
    either_server.say("Yes.", input_tokens=odd, output_tokens=odd)
    reply = await ask(either_model)
    [entry] = await all_entries()
    assert (reply.state, reply.message.blocks[0]["text"]) == (State.COMPLETE, "Yes.")
    assert (entry.outcome, entry.is_estimate) == (Outcome.COMPLETE, True)
    assert entry.usage.input_tokens in range(1, 1000) and entry.usage.output_tokens in range(1, 100)


async def test_the_largest_counts_at_the_highest_prices_are_booked(
    ask: Asking, either_server: ModelServer, either_model: ChatModel
) -> None:
    price = Decimal("999999.9999")
    await ChatModel.objects.filter(pk=either_model.pk).aupdate(input_price=price, output_price=price)
    either_server.say("Yes.", input_tokens=MAX_TOKENS, output_tokens=MAX_TOKENS)
    reply = await ask(await ChatModel.objects.select_related("provider").aget(pk=either_model.pk))
    [entry] = await all_entries()
    assert (reply.state, entry.is_estimate) == (State.COMPLETE, False)
    assert entry.cost == reply.cost == 2 * MAX_TOKENS * price / 1_000_000


async def test_each_round_of_tools_is_a_call(
    ask: Asking, either_server: ModelServer, either_model: ChatModel, tool: Tool
) -> None:
    either_server.stream(*calling(either_server.protocol, ("call_1", tool.wire_name, {"file": "x"})))
    either_server.say("Nothing there.", input_tokens=30, output_tokens=7)
    reply = await ask(either_model)
    booked = await all_entries()
    assert [(entry.input_tokens, entry.output_tokens) for entry in booked] == [(10, 20), (30, 7)]
    assert {entry.request_id for entry in booked} == {str(reply.pk)}
    assert [call.entry_id async for call in reply.calls.order_by("pk")] == [entry.pk for entry in booked]
    assert (reply.input_tokens, reply.output_tokens) == (40, 27)


async def test_a_request_limit_does_not_interrupt_an_answer_that_uses_tools(
    ask: Asking, server: ModelServer, model: ChatModel, tool: Tool
) -> None:
    await RateLimit.objects.acreate(scope="person", requests_a_minute=1)
    server.stream(*calling(server.protocol, ("call_1", tool.wire_name, {"file": "x"})))
    server.say("Nothing there.")
    assert (await ask(model)).state == State.COMPLETE
    assert (await ask(model, "And now?")).error_kind == "rate_limited"
    assert len(await all_entries()) == 2


async def test_a_continuation_is_a_call_of_its_own(
    ask: Asking, ada: User, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.stream(*broken_reply(either_server, "Half", " of it"))
    cut = await ask(either_model)
    either_server.forget()
    either_server.say(" and the rest.", input_tokens=50, output_tokens=6)
    message = await Message.objects.for_reading().select_related("conversation", "branch").aget(pk=cut.message_id)
    more = await sync_to_async(turns.continue_answer)(message, ada)
    assert more is not None
    await asyncio.gather(*tasks._running)
    first, second = await all_entries()
    assert (first.outcome, first.is_estimate, first.error_kind) == (Outcome.BROKEN, True, "broken_stream")
    assert (second.input_tokens, second.output_tokens, second.is_estimate) == (50, 6, False)
    assert second.request_id == str(more.pk)


async def test_an_interrupted_answer_is_estimated_from_its_text(
    ask: Asking, server: ModelServer, model: ChatModel
) -> None:
    server.stream(*broken_reply(server, "x" * 400))
    await ask(model)
    [entry] = await all_entries()
    # The upstream had counted the prompt before the stream broke, and one token of the answer.
    assert (entry.input_tokens, entry.output_tokens, entry.is_estimate) == (7, 100, True)
    assert entry.cost == (7 * 3 + 100 * 15) / Decimal(1_000_000)


async def test_a_stream_without_usage_is_estimated(ask: Asking, ada: User) -> None:
    with ModelServer(ProtocolName.OPENAI) as server:
        model = await sync_to_async(provider_at)(server)
        server.stream(*(event for event in reply_wire(server.protocol, ["y" * 80]) if b'"usage"' not in event))
        assert (await ask(model, "w" * 400)).state == State.COMPLETE
    [entry] = await all_entries()
    assert (entry.outcome, entry.is_estimate, entry.output_tokens) == (Outcome.COMPLETE, True, 20)
    assert entry.input_tokens is not None and 100 <= entry.input_tokens < 130


async def test_a_stopped_answer_is_booked_for_the_text_it_has(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    begin_and_hang(either_server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    [open_] = await all_entries()
    assert open_.outcome == Outcome.OPEN and open_.reserved_tokens > 4096
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await tab.until_over(message)
    await replies.local.close()
    [entry] = await all_entries()
    # "I could go on" has 13 letters.
    assert (entry.outcome, entry.is_estimate, entry.output_tokens) == (Outcome.STOPPED, True, 4)
    assert (entry.input_tokens or 0) > 0


async def test_a_stop_before_the_first_word_is_booked_for_the_prompt(
    ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    gate = Gate()
    server.stream(b"", before=[gate])
    generation = await sync_to_async(queue_turn)(conversation, ada, "w" * 400, model)
    writing = asyncio.create_task(replies.generate.func(generation.pk))
    await asyncio.to_thread(gate.reached.wait, 10)
    await sync_to_async(turns.stop)(generation)
    await writing
    [entry] = await all_entries()
    assert (entry.outcome, entry.is_estimate, entry.output_tokens) == (Outcome.STOPPED, True, 0)
    assert (entry.input_tokens or 0) >= 100


async def test_a_refused_call_costs_nothing(ask: Asking, either_server: ModelServer, either_model: ChatModel) -> None:
    either_server.refuse(401, "authentication_error")
    assert (await ask(either_model)).state == State.FAILED
    [entry] = await all_entries()
    assert (entry.outcome, entry.error_kind) == (Outcome.FAILED, "authentication")
    assert (entry.tokens, entry.is_estimate, entry.cost) == (0, False, 0)


async def test_an_attempt_that_was_counted_and_repeated_is_booked_too(
    ask: Asking, server: ModelServer, model: ChatModel
) -> None:
    start = reply_wire(server.protocol, ["Yes."])[0]
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    server.stream(start, messages_event(overloaded))
    server.say("Yes.", input_tokens=30, output_tokens=3)
    await ask(model)
    [entry] = await all_entries()
    assert (entry.input_tokens, entry.output_tokens) == (37, 4)


async def test_nothing_is_asked_once_the_budget_is_used_up(
    ask: Asking, ada: User, either_server: ModelServer, either_model: ChatModel
) -> None:
    await Budget.objects.acreate(scope="person", person=ada, period="month", unit="tokens", limit=0)
    reply = await ask(either_model)
    assert (reply.state, reply.error_kind) == (State.FAILED, "over_budget")
    assert reply.error_message.startswith("Your monthly budget is used up: 0 of 0 tokens. It renews on 1 ")
    assert either_server.requests == [] and await all_entries() == []


async def test_a_budget_that_runs_out_between_tools_keeps_the_answer_so_far(
    ask: Asking, ada: User, server: ModelServer, model: ChatModel, tool: Tool
) -> None:
    await Budget.objects.acreate(scope="person", period="day", unit="tokens", limit=25)
    server.stream(*calling(server.protocol, ("call_1", tool.wire_name, {"file": "x"}), text="Let me see."))
    reply = await ask(model)
    assert (reply.state, reply.error_kind) == (State.INTERRUPTED, "over_budget")
    assert [block["type"] for block in reply.message.blocks] == ["text", "tool_use", "tool_result"]
    assert len(server.requests) == 1
    spending = await Spending.objects.aget()
    assert (spending.spent, spending.reserved) == (30, 0)


async def test_a_call_that_a_crash_ended_is_estimated_from_the_saved_text(
    ada: User, conversation: Conversation, model: ChatModel
) -> None:
    def crash() -> None:
        lost = queue_turn(conversation, ada, "Well?", model)
        assert lost.claim()
        upstream_call.begin_call(lost, prompt_tokens=12, max_tokens=100)
        Message.objects.filter(pk=lost.message_id).update(blocks=[{"type": "text", "text": "x" * 400}])
        recovery.recover()

    await sync_to_async(crash)()
    [entry] = await all_entries()
    assert (entry.outcome, entry.usage, entry.is_estimate) == (Outcome.LOST, Usage(12, 100), True)
