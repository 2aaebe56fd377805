"""A process that has to end hands its replies over, and the next one goes on in the same message."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from chatsite.process import tasks
from conversations.answering import queue, replies
from conversations.answering.ending import CONTINUED, CUT_OFF, HANDED_OVER
from conversations.answering.replies import WORK
from conversations.live.hub import hub
from conversations.models import Conversation, Generation, GenerationCall, Message, State
from conversations.verbs import turns
from ledger.models import Outcome
from tests.conversations.answering.tool_wires import calling
from tests.conversations.asking import Opening, begin_and_hang, last_reply, open_half_way, queue_turn
from tests.conversations.verbs.desk import Desk, block_kinds
from tests.fakes import ModelServer
from tests.steps import Hang
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


async def hand_over(conversation: Conversation) -> Generation:
    """Ends this process's replies after its grace. Returns the last reply, as the next process finds it."""
    closing = asyncio.create_task(replies.local.close(HANDED_OVER))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    return await last_reply(conversation)


async def take_over(server: ModelServer, monkeypatch: pytest.MonkeyPatch, *sayings: str, **usage: int) -> None:
    """Puts another process in the place of this one, which does the queued work. Its model says these texts."""
    server.forget()
    for text in sayings:
        server.say(text, **usage)
    earlier = replies.local
    monkeypatch.setattr(replies, "local", replies.Replies())
    await asyncio.to_thread(earlier.close_threads)
    for pk in await sync_to_async(queue.list_waiting)():
        await replies.local.write(pk)


async def outcomes(reply: Generation) -> list[str]:
    calls = GenerationCall.objects.filter(generation=reply).order_by("entry_id")
    return [outcome async for outcome in calls.values_list("entry__outcome", flat=True)]


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


async def test_a_stopped_reply_is_not_handed_over(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    begin_and_hang(server, "I could ", "go on")
    await open_half_way(browser, ada, conversation)
    reply = await last_reply(conversation)
    closing = asyncio.create_task(replies.local.close(HANDED_OVER))
    await asyncio.sleep(0)
    replies.local.stop(reply.pk)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert (await last_reply(conversation)).state == State.STOPPED


async def test_a_reply_can_be_stopped_between_two_processes(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begin_and_hang(server, "I could ", "go on")
    tab, message = await open_half_way(browser, ada, conversation)
    left = await hand_over(conversation)
    await sync_to_async(turns.stop)(left)
    await tab.until_over(message)
    await take_over(server, monkeypatch)
    reply = await last_reply(conversation)
    assert (reply.state, reply.message.text) == (State.STOPPED, "I could go on")


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
