"""Thinking that a model writes into its text goes back as text in a tool loop, and nowhere else."""

import json
from typing import Any

import pytest

from conversations.models import State
from tests.conversations.answering.tool_wires import calling
from tests.conversations.verbs.desk import Desk, block_kinds
from tests.steps import Hang
from tests.wires import is_text, reply_wire
from upstreams.endpoint import ProtocolName

pytestmark = pytest.mark.django_db(transaction=True)

CALL = ("call_1", "drawer__echo", {"text": "hello"})
AGAIN = ("call_2", "drawer__echo", {"text": "again"})


def assistant_texts(desk: Desk) -> list[str]:
    """The text of each of the model's messages in the last request."""
    messages: list[dict[str, Any]] = [m for m in desk.messages_sent() if m["role"] == "assistant"]
    assert not any("thinking" in str(block.get("type")) for m in messages for block in blocks_of(m))
    assert not any("reasoning" in name for message in messages for name in message)
    return ["".join(block["text"] for block in blocks_of(m) if block["type"] == "text") for m in messages]


def blocks_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nI should look.\n</think>\n\nLet me see.",
        "<think>I should look.</think>",
        "[THINK]I should look.[/THINK]Let me see.",
        "I should look.\n</think>\n\nLet me see.",
    ],
)
async def test_it_goes_back_as_the_model_wrote_it_while_the_loop_is_open(either_desk: Desk, text: str) -> None:
    desk = either_desk
    await desk.use("echo")
    desk.reply_with_calls(CALL, text=text)
    desk.reply_with_calls(AGAIN, text="<think>Once more.</think>Hm?")
    desk.server.say("Done.")
    desk.server.say("Yes.")
    reply = await desk.ask_and_wait()
    assert reply.state == State.COMPLETE and block_kinds(reply)[0] == "thinking"
    assert assistant_texts(desk) == [text, "<think>Once more.</think>Hm?"]
    await desk.ask_and_wait("And now?")
    # Templates remove the thinking of earlier answers.
    said = ["Let me see." if "Let me see." in text else "", "Hm?", "Done."]
    assert assistant_texts(desk) == said and "look" not in json.dumps(desk.messages_sent())


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|>analysis<|message|>I look.<|end|><|start|>assistant<|channel|>final<|message|>Let me see.",
        "analysisI look.assistantfinalLet me see.",
    ],
)
async def test_the_harmony_format_is_left_out_since_its_template_refuses_it(either_desk: Desk, text: str) -> None:
    desk = either_desk
    await desk.use("echo")
    desk.reply_with_calls(CALL, text=text)
    desk.server.say("Done.")
    reply = await desk.ask_and_wait()
    assert (reply.state, reply.message.blocks[0]["thinking"]) == (State.COMPLETE, "I look.")
    assert assistant_texts(desk) == ["Let me see."]


async def test_the_name_of_a_channel_leaves_the_page_as_soon_as_it_is_one(either_desk: Desk) -> None:
    desk = either_desk
    wire = reply_wire(desk.server.protocol, ["analysis\n\nI look.\n\n", "assistantfinal\n\nLet ", "me see."])
    last = max(index for index, event in enumerate(wire) if is_text(event))
    desk.server.stream(*wire[: last + 1], Hang())
    message = (await desk.ask()).message_id
    await desk.tab.until(lambda page: "Let me see." in page.article(message))
    late = await desk.browser.open(desk.conversation)
    await late.until(lambda page: "Let me see." in page.article(message))
    for tab in (desk.tab, late):
        assert "I look." in tab.page.article(message) and "analysis" not in tab.page.article(message)


async def test_thinking_that_the_server_marked_goes_back_in_its_own_form(either_desk: Desk) -> None:
    desk = either_desk
    await desk.use("echo")
    wire = calling(desk.server.protocol, CALL, thinking="I look.")
    if desk.server.protocol is ProtocolName.OPENAI:
        wire[0] = wire[0].replace(b'"content": null', b'"reasoning_content": "I look."')
    desk.server.stream(*wire)
    desk.server.say("Done.")
    await desk.ask_and_wait()
    [message] = [m for m in desk.messages_sent() if m["role"] == "assistant"]
    if desk.server.protocol is ProtocolName.OPENAI:
        assert (message["reasoning_content"], message["content"]) == ("I look.", "")
    else:
        assert message["content"][0] == {"type": "thinking", "thinking": "I look.", "signature": "sealed"}
