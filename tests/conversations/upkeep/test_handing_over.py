"""A process that has to end hands its replies over, and the next one goes on in the same message."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models import F
from django.utils.timezone import now

from accounts.models import User
from chatsite.models import Process
from chatsite.process import lease, tasks
from conversations.answering import queue, replies, saving
from conversations.answering.ending import CONTINUED, CUT_OFF
from conversations.answering.replies import WORK
from conversations.live.hub import hub
from conversations.models import Conversation, Generation, Message, State
from conversations.verbs import deleting
from ledger.models import Entry, Outcome
from tests.conversations.answering.tool_wires import calling
from tests.conversations.asking import Opening, begin_and_hang, last_reply, open_half_way, queue_turn
from tests.conversations.upkeep.handovers import hand_over, outcomes, take_over
from tests.conversations.verbs.desk import Desk, block_kinds
from tests.fakes import ModelServer
from tests.steps import Gate, Hang
from tests.wires import messages_event
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What this process tells others."""
    said: list[tuple[Any, ...]] = []
    monkeypatch.setattr(hub, "tell", lambda *values: said.append(values))
    return said


async def test_the_next_process_continues_the_text(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
    told: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin_and_hang(either_server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    left = await hand_over(conversation)
    assert (left.state, left.continues, left.finished_at, left.message.text) == (
        *(State.QUEUED, True, None, "I could go on"),
    )
    assert (WORK, left.pk) in told
    await tab.until(lambda page: page.state(message) == State.QUEUED)
    assert "Interrupted" not in tab.page.article(message)

    await take_over(either_server, monkeypatch, " and on.")
    await tab.until_over(message)
    reply = await last_reply(conversation)
    assert (reply.pk, reply.state, reply.message.text) == (left.pk, State.COMPLETE, "I could go on and on.")
    assert (reply.notes, reply.started_at) == ([CONTINUED], left.started_at)
    assert CONTINUED in tab.page.article(message)
    assert tab.page.text(message) == "I could go on and on."
    last = either_server.requests[-1].json["messages"][-1]
    if either_server.protocol is ProtocolName.ANTHROPIC:
        assert last["role"] == "assistant"
    else:
        assert "Continue exactly where it stopped" in str(last)
    assert await outcomes(reply) == [Outcome.BROKEN, Outcome.COMPLETE]


async def test_the_usage_of_both_calls_is_added(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begin_and_hang(server, "I could ", "go on")
    await open_half_way(browser, ada, conversation)
    left = await hand_over(conversation)
    await take_over(server, monkeypatch, " and on.", input_tokens=7, output_tokens=5)
    reply = await last_reply(conversation)
    assert reply.output_tokens == (left.output_tokens or 0) + 5


async def test_a_text_that_was_complete_ends_complete(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begin_and_hang(server, "I could ", "go on")
    await open_half_way(browser, ada, conversation)
    await hand_over(conversation)
    await take_over(server, monkeypatch, "")
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text, reply.error_message) == (State.COMPLETE, "I could go on", "")


async def test_a_reply_without_text_begins_again(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    server.stream(Hang())
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Well?")
    await server_got_request(server)
    left = await hand_over(conversation)
    assert (left.state, left.continues, left.notes) == (State.QUEUED, False, [])
    await take_over(server, monkeypatch, "Here I am.")
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text, reply.notes) == (State.COMPLETE, "Here I am.", [])
    assert len(server.requests[-1].json["messages"]) == len(server.requests[-2].json["messages"])


async def server_got_request(server: ModelServer) -> None:
    assert await asyncio.to_thread(server.asked.wait, 20)


async def test_later_turns_wait_for_the_reply_that_was_handed_over(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begin_and_hang(server, "I could ", "go on")
    await open_half_way(browser, ada, conversation)
    later = await sync_to_async(queue_turn)(conversation, ada, "And then?", model)
    await hand_over(conversation)
    assert await sync_to_async(queue.list_waiting)() == [later.pk - 1]
    await take_over(server, monkeypatch, " and on.", "Then this.")
    tab = await (await browser(ada)).open(conversation)
    await tab.until_over(later.message_id)
    said = [message.text async for message in Message.objects.filter(role="assistant").order_by("pk")]
    assert said == ["I could go on and on.", "Then this."]


async def test_a_process_that_takes_no_work_leaves_it_to_others(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    told: list[tuple[Any, ...]],
) -> None:  # fmt: skip
    replies.local.takes_work = False
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Anybody?")
    reply = await last_reply(conversation)
    await asyncio.gather(*tasks._running)
    assert (WORK, reply.pk) in told
    assert (reply.state, server.requests) == (State.QUEUED, [])


async def test_a_tool_that_may_have_run_is_not_run_again(either_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"once, over {either_desk.server.protocol}"
    await either_desk.use("slow")
    await either_desk.use("echo")
    calls = ("toolu_1", "drawer__slow", {"name": name}), ("toolu_2", "drawer__echo", {"text": "quick"})
    either_desk.reply_with_calls(*calls, text="Let me see.")
    await either_desk.ask()
    await either_desk.drawer.saw("began", name)
    await either_desk.tab.until(lambda page: page.find('.tool-call[data-progress="done"]'))
    left = await hand_over(either_desk.conversation)
    assert (left.state, left.rounds) == (State.QUEUED, 1)
    await either_desk.drawer.saw("cancelled", name)
    await take_over(either_desk.server, monkeypatch, "It is done.")
    reply = await last_reply(either_desk.conversation)
    assert block_kinds(reply) == ["text", *["tool_use"] * 2, *["tool_result"] * 2, "text"]
    assert reply.message.blocks[3]["content"] == [{"type": "text", "text": CUT_OFF}]
    assert either_desk.drawer.seen().count(["began", name]) == 1
    assert (reply.state, either_desk.messages_sent()[-1]["role"] in ("user", "tool")) == (State.COMPLETE, True)


async def test_a_tool_that_was_approved_is_not_run_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.use("slow", ask_first=True)
    desk.reply_with_calls(("toolu_1", "drawer__slow", {"name": "approved"}), text="Let me see.")
    waiting = await desk.ask_and_wait()
    assert waiting.state == State.WAITING
    assert await desk.decide(waiting, "toolu_1", "once") == 204
    await desk.drawer.saw("began", "approved")
    await hand_over(desk.conversation)
    await desk.drawer.saw("cancelled", "approved")
    await take_over(desk.server, monkeypatch, "It is done.")
    reply = await last_reply(desk.conversation)
    assert (reply.state, desk.drawer.seen().count(["began", "approved"])) == (State.COMPLETE, 1)
    assert reply.message.blocks[2]["content"] == [{"type": "text", "text": CUT_OFF}]


async def test_a_process_that_has_lost_its_claim_runs_no_tool_and_asks_no_model(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the tool call itself may notice.
    monkeypatch.setattr(saving, "INTERVAL", 3600.0)
    await desk.use("slow")
    end, wire = (
        Gate(),
        calling(desk.server.protocol, ("toolu_1", "drawer__slow", {"name": "taken"}), text="Let me see."),
    )
    desk.server.stream(*wire[:-1], end, wire[-1])
    reply = await desk.ask()
    await desk.tab.until(lambda page: "Let me see." in page.article(reply.message_id))
    # Another process has taken this one for dead, as if it had been asleep.
    await Generation.objects.filter(pk=reply.pk).aupdate(claims=F("claims") + 1)
    end.open()
    await asyncio.gather(*tasks._running)
    assert ["began", "taken"] not in desk.drawer.seen()
    assert ((await last_reply(desk.conversation)).state, len(desk.server.requests)) == (State.RUNNING, 1)


async def test_a_call_that_was_still_being_written_is_written_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.use("slow")
    wire = calling(desk.server.protocol, ("toolu_1", "drawer__slow", {"name": "never"}), text="Let me see.")
    half = next(place for place, event in enumerate(wire) if b'{\\"name' in event) + 1
    desk.server.stream(*wire[:half], Hang())
    await desk.ask()
    await desk.tab.until(
        lambda page: any('{"name' in written.text_content() for written in page.find(".tool-call pre"))
    )
    left = await hand_over(desk.conversation)
    assert (block_kinds(left), left.rounds, left.continues) == (["text"], 0, True)
    await take_over(desk.server, monkeypatch, " Then not.")
    reply = await last_reply(desk.conversation)
    assert (reply.state, reply.message.text) == (State.COMPLETE, "Let me see. Then not.")
    assert ["began", "never"] not in desk.drawer.seen()


async def test_a_model_that_thought_about_a_result_goes_on_from_the_result(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.use("echo")
    desk.reply_with_calls(("toolu_1", "drawer__echo", {"text": "once"}), text="Let me see.")
    thinking = [
        {"type": "message_start", "message": {"id": "m", "model": "m", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Well, now"}},
    ]
    desk.server.stream(*map(messages_event, thinking), Hang())
    reply = await desk.ask()
    await desk.tab.until(lambda page: "Well, now" in page.article(reply.message_id))
    left = await hand_over(desk.conversation)
    assert (left.rounds, block_kinds(left)[-1]) == (2, "thinking")
    await take_over(desk.server, monkeypatch, "It is done.")
    done = await last_reply(desk.conversation)
    assert block_kinds(done) == ["text", "tool_use", "tool_result", "text"]
    assert desk.messages_sent()[-1]["content"][0]["type"] == "tool_result"


def test_the_duration_of_a_reply_is_not_negative_when_clocks_differ() -> None:
    ended = now()
    written = Generation(started_at=ended + timedelta(minutes=5), finished_at=ended)
    assert written.duration == timedelta(0)


@pytest.mark.parametrize("loss", ["person", "conversation", "message"])
async def test_what_is_lost_between_two_processes(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch, loss: str,
) -> None:  # fmt: skip
    begin_and_hang(server, "I could ", "go on")
    await open_half_way(browser, ada, conversation)
    left = await hand_over(conversation)
    if loss == "person":
        await User.objects.filter(pk=ada.pk).aupdate(is_active=False)
    elif loss == "message":
        await sync_to_async(deleting.delete)(await Message.objects.for_reading().aget(pk=left.message_id))
    else:
        await conversation.adelete()
    await take_over(server, monkeypatch, " and on.")
    entries = [entry async for entry in Entry.objects.order_by("pk")]
    assert Outcome.OPEN not in [entry.outcome for entry in entries]
    if loss == "conversation":
        assert (len(server.requests), await Message.objects.acount()) == (1, 0)
        return
    reply = await last_reply(conversation)
    if loss == "person":
        assert (reply.state, reply.error_kind, reply.message.text) == (State.STOPPED, "asker_gone", "I could go on")
        assert len(server.requests) == 1
    else:
        # It can be restored, so it is written to its end.
        assert (reply.state, reply.message.text) == (State.COMPLETE, "I could go on and on.")
        assert reply.message.deleted_at is not None


async def test_a_process_without_a_row_claims_nothing(
    ada: User, conversation: Conversation, model: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = await sync_to_async(queue_turn)(conversation, ada, "Well?", model)
    # It was asleep, and others have deleted its row. What it claims would be taken from it again.
    process = await Process.objects.acreate()
    monkeypatch.setattr(lease.local, "key", process.pk)
    await process.adelete()
    assert not await sync_to_async(queued.claim)()
    monkeypatch.setattr(lease.local, "key", (await Process.objects.acreate()).pk)
    assert await sync_to_async(queued.claim)()
