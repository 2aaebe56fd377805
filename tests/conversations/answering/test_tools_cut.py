"""An answer that is cut while it uses tools keeps its results and can be continued from there."""

import pytest

from conversations.models import State
from tests.conversations.answering.tool_wires import calling
from tests.conversations.asking import last_reply
from tests.conversations.verbs.desk import Desk, block_kinds
from tests.steps import Hang
from tests.wires import chat_chunk, messages_event
from tools.models import Tool
from upstreams.endpoint import ProtocolName

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = ("toolu_1", "drawer__echo", {"text": "hello"})


async def test_stop_in_the_middle_of_a_call_ends_the_call(desk: Desk) -> None:
    await desk.use("slow")
    desk.reply_with_calls(("toolu_1", "drawer__slow", {"name": "stopped"}), text="Wait.")
    reply = await desk.ask()
    await desk.drawer.saw("began", "stopped")
    await desk.stop()
    await desk.drawer.saw("cancelled", "stopped")
    await desk.until(reply, State.STOPPED)
    assert (desk.progress, block_kinds(await last_reply(desk.conversation))) == (["dropped"], ["text", "tool_use"])


async def test_a_failure_after_a_tool_has_run_keeps_its_result(desk: Desk) -> None:
    await desk.use("echo")
    desk.reply_with_calls(HELLO, text="Let me see.")
    desk.server.refuse(401)
    reply = await desk.ask_and_wait()
    assert (reply.state, desk.progress) == (State.INTERRUPTED, ["done"])


async def test_an_answer_that_failed_after_a_call_continues_with_its_result(desk: Desk) -> None:
    await desk.use("echo")
    desk.reply_with_calls(HELLO, text="Let me see.")
    desk.server.refuse(401)
    desk.server.say("It is done.")
    reply = await desk.ask_and_wait()
    await desk.continue_reply(reply)
    await desk.until(reply, State.COMPLETE)
    assert block_kinds(await last_reply(desk.conversation)) == ["text", "tool_use", "tool_result", "text"]
    assert (desk.tab.page.text(reply.message_id).endswith("It is done."), desk.progress) == (True, ["done"])


async def test_an_answer_that_was_stopped_during_a_call_continues_by_making_it(desk: Desk) -> None:
    await desk.use("slow")
    desk.reply_with_calls(("toolu_1", "drawer__slow", {"name": "cut"}), text="Let me see.")
    desk.server.say("It is done.")
    reply = await desk.ask()
    await desk.drawer.saw("began", "cut")
    await desk.stop()
    await desk.until(reply, State.STOPPED)
    desk.drawer.end("cut")
    await desk.continue_reply(reply)
    await desk.until(reply, State.COMPLETE)
    assert block_kinds(await last_reply(desk.conversation)) == ["text", "tool_use", "tool_result", "text"]
    assert (desk.tab.page.text(reply.message_id).endswith("It is done."), desk.progress) == (True, ["done"])


async def test_a_result_from_before_a_stop_is_kept_and_its_call_is_not_repeated(desk: Desk) -> None:
    await desk.use("slow")
    await desk.use("echo")
    calls = ("toolu_1", "drawer__slow", {"name": "half"}), ("toolu_2", "drawer__echo", {"text": "quick"})
    desk.reply_with_calls(*calls)
    desk.server.say("It is done.")
    reply = await desk.ask()
    await desk.drawer.saw("began", "half")
    await desk.tab.until(lambda page: page.find('.tool-call[data-progress="done"]'))
    await desk.stop()
    await desk.until(reply, State.STOPPED)
    await desk.drawer.saw("cancelled", "half")
    assert desk.progress == ["dropped", "done"]
    await Tool.objects.filter(name="echo").aupdate(is_allowed=False)
    desk.drawer.end("half")
    await desk.continue_reply(reply)
    await desk.until(reply, State.COMPLETE)
    # The finished call was not repeated: its tool is no longer allowed and would have failed.
    assert desk.progress == ["done", "done"]
    assert [result["tool_use_id"] for result in desk.messages_sent()[-1]["content"]] == ["toolu_1", "toolu_2"]


async def test_a_call_with_incomplete_input_is_not_made(desk: Desk) -> None:
    await desk.use("slow")
    wire = calling(desk.server.protocol, ("toolu_1", "drawer__slow", {"name": "never"}), text="Let me see.")
    half = next(place for place, event in enumerate(wire) if b'{\\"name' in event) + 1
    desk.server.stream(*wire[:half], Hang())
    desk.server.say("Then not.")
    reply = await desk.ask()
    await desk.tab.until(
        lambda page: any('{"name' in written.text_content() for written in page.find(".tool-call pre"))
    )
    await desk.stop()
    await desk.until(reply, State.STOPPED)
    assert desk.progress == ["dropped"]
    assert '{"name' in desk.tab.page.one(".tool-call pre").text_content()
    await desk.continue_reply(reply)
    await desk.until(reply, State.COMPLETE)
    call, result = desk.messages_sent()[-2]["content"][-1], desk.messages_sent()[-1]["content"][0]
    assert (call["input"], "raw_input" in call, result["is_error"]) == ({}, False, True)
    assert ["began", "never"] not in desk.drawer.seen() and desk.progress == ["failed"]


@pytest.mark.parametrize("arguments", ["", '{"text": "hel'])
async def test_a_call_that_the_length_limit_cuts_is_not_made(desk: Desk, arguments: str) -> None:
    await desk.use("echo")
    head = {"index": 0, "id": "call_a", "function": {"name": "drawer__echo", "arguments": arguments}}
    chat = [chat_chunk({"content": "Let me see."}), chat_chunk({"tool_calls": [head]}), chat_chunk({}, "length")]
    use = {"type": "tool_use", "id": "toolu_1", "name": "drawer__echo", "input": {}}
    grown = {"type": "input_json_delta", "partial_json": arguments}
    messages = [
        {"type": "message_start", "message": {"id": "m", "model": "m", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": use},
        {"type": "content_block_delta", "index": 0, "delta": grown},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]
    is_chat = desk.server.protocol is ProtocolName.OPENAI
    desk.server.stream(*(chat if is_chat else map(messages_event, messages)), *([b"data: [DONE]\n\n"] * is_chat))
    reply = await desk.ask_and_wait()
    assert (reply.state, reply.stop_reason, desk.progress) == (State.COMPLETE, "max_tokens", ["cut"])
    assert len(desk.server.requests) == 1
