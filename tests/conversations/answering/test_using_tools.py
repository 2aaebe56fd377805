"""Models use tools: calls run, viewers and the model get the results, and the answer continues."""

import json
from typing import Any

import pytest

from conversations.models import Attachment, State
from tests.conversations.answering.tool_wires import calling
from tests.conversations.asking import last_reply
from tests.conversations.verbs.desk import Desk, block_kinds, call_progress
from tests.steps import Hang
from upstreams.endpoint import ProtocolName

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_tool_runs_and_the_answer_continues_with_its_result(either_desk: Desk) -> None:
    desk = either_desk
    await desk.use("echo")
    desk.reply_with_calls(("call_1", "drawer__echo", {"text": "hello"}), text="Let me see.")
    desk.server.say("It said hello.")
    reply = await desk.ask_and_wait()
    assert (reply.state, block_kinds(reply)) == (State.COMPLETE, ["text", "tool_use", "tool_result", "text"])
    assert desk.progress == ["done"]
    [card] = desk.tab.page.find(".tool-call")
    assert "echo" in card.text_content() and "hello" in card.text_content()
    assert "It said hello." in desk.tab.page.text(reply.message_id)
    assert [each.json["tools"] != [] for each in desk.server.requests] == [True, True]
    # The figures add up both calls of the upstream.
    assert (reply.input_tokens, reply.output_tokens) == (17, 25)


async def test_messages_upstreams_get_back_their_own_blocks_unchanged(desk: Desk) -> None:
    await desk.use("echo")
    desk.reply_with_calls(("toolu_1", "drawer__echo", {"text": "hello"}), text="Let me see.", thinking="Hm.")
    desk.server.say("Done.")
    desk.server.say("Again.")
    await desk.ask_and_wait()
    said = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sealed"},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "toolu_1", "name": "drawer__echo", "input": {"text": "hello"}},
    ]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "hello"}]}
    in_the_loop = desk.messages_sent()
    assert in_the_loop[1:] == [{"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
    await desk.ask_and_wait("And now?")
    assert json.dumps(desk.messages_sent()).startswith(json.dumps(in_the_loop)[:-1])


@pytest.mark.parametrize("either_server", [ProtocolName.OPENAI], indirect=True)
async def test_chat_upstreams_get_calls_and_results_in_their_own_format(either_desk: Desk) -> None:
    desk = either_desk
    await desk.use("echo")
    desk.reply_with_calls(("call_1", "drawer__echo", {"text": "hello"}))
    desk.server.say("Done.")
    await desk.ask_and_wait()
    function = {"name": "drawer__echo", "arguments": '{"text":"hello"}'}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    assert desk.messages_sent()[1:] == [
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": "hello"},
    ]
    [tool] = desk.server.requests[0].json["tools"]
    assert (tool["type"], tool["function"]["name"]) == ("function", "drawer__echo")
    assert desk.server.requests[0].json["tool_choice"] == "auto"


async def test_parallel_calls_end_one_by_one_on_the_page_and_the_model_gets_results_in_order(desk: Desk) -> None:
    await desk.use("slow")
    await desk.use("echo")
    desk.reply_with_calls(
        ("toolu_1", "drawer__slow", {"name": "parallel"}), ("toolu_2", "drawer__echo", {"text": "quick"})
    )
    desk.server.say("Done.")
    reply = await desk.ask()
    await desk.drawer.saw("began", "parallel")
    await desk.tab.until(lambda page: page.find('.tool-call[data-progress="done"]'))
    assert desk.progress == ["running", "done"]
    assert "quick" in desk.tab.page.find(".tool-call")[1].text_content()
    late = await desk.browser.open(desk.conversation)
    await late.until(lambda page: page.find('.tool-call[data-progress="done"]'))
    assert call_progress(late) == ["running", "done"]
    desk.drawer.end("parallel")
    await desk.until_over(reply)
    assert desk.progress == ["done", "done"]
    assert [result["tool_use_id"] for result in desk.messages_sent()[-1]["content"]] == ["toolu_1", "toolu_2"]
    kept = block_kinds(await last_reply(desk.conversation))
    assert kept == ["tool_use", "tool_use", "tool_result", "tool_result", "text"]


async def test_a_failed_tool_is_shown_on_its_card_and_to_the_model(desk: Desk) -> None:
    await desk.use("failing")
    desk.reply_with_calls(("toolu_1", "drawer__failing", {}), ("toolu_2", "no_such_tool", {}))
    desk.server.say("Too bad.")
    reply = await desk.ask_and_wait()
    assert (reply.state, desk.progress) == (State.COMPLETE, ["failed", "failed"])
    assert [result["is_error"] for result in desk.messages_sent()[-1]["content"]] == [True, True]


async def test_an_image_from_a_tool_is_kept_as_a_file_and_sent_as_an_image(desk: Desk) -> None:
    await desk.use("picture")
    desk.model.sees_images = True
    await desk.model.asave()
    desk.reply_with_calls(("toolu_1", "drawer__picture", {}))
    desk.server.say("A pixel.")
    reply = await desk.ask_and_wait()
    file = await Attachment.objects.aget(message=reply.message)
    [image] = desk.tab.page.find(".tool-call img")
    assert str(file.uuid) in (image.get("src") or "")
    assert (await desk.browser.get(image.get("src") or "")).status_code == 200
    [result] = desk.messages_sent()[-1]["content"]
    assert [block["source"]["type"] for block in result["content"] if block["type"] == "image"] == ["base64"]


async def test_viewers_see_the_input_as_it_is_written(either_desk: Desk) -> None:
    desk = either_desk
    await desk.use("echo")
    wire = calling(desk.server.protocol, ("toolu_1", "drawer__echo", {"text": "<b>hello</b> & good bye"}))
    half = next(place for place, event in enumerate(wire) if b'{\\"text' in event) + 1
    desk.server.stream(*wire[:half], Hang())
    await desk.ask()
    await desk.tab.until(lambda page: page.find(".tool-call pre") and page.one(".tool-call pre").text_content())
    late = await desk.browser.open(desk.conversation)
    await late.until(lambda page: page.find('.tool-call[data-progress="writing"]'))
    shown = [tab.page.one(".tool-call pre").text_content() for tab in (desk.tab, late)]
    assert shown[0] == shown[1] and shown[0].startswith('{"text": "<b>hel')


async def test_calls_of_different_rounds_may_have_the_same_id(either_desk: Desk) -> None:
    desk = either_desk
    await desk.use("echo")
    for text in ("one", "two"):
        desk.reply_with_calls(("call_0", "drawer__echo", {"text": text}))
    desk.server.say("Done.")
    reply = await desk.ask_and_wait()
    assert (reply.state, desk.progress, len(desk.server.requests)) == (State.COMPLETE, ["done", "done"], 3)
    results = [card.cssselect("[aria-label=Result]")[0].text_content() for card in desk.tab.page.find(".tool-call")]
    assert results == ["one", "two"]


async def test_a_model_that_never_stops_calling_has_to_answer_after_the_last_round(desk: Desk, settings: Any) -> None:
    settings.TOOL_ROUNDS = 2
    await desk.use("echo")
    for number in range(3):
        desk.reply_with_calls((f"toolu_{number}", "drawer__echo", {"text": "hello"}))
    desk.server.say("Enough.")
    reply = await desk.ask_and_wait()
    assert (reply.state, len(desk.server.requests)) == (State.COMPLETE, 4)
    assert desk.server.requests[-1].json["tool_choice"] == {"type": "none"}
    assert desk.progress == ["done", "done", "failed"]
