"""An answer of one model, read by another: text, calls and results go; thinking and what is signed stay behind."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations.models import Conversation, Message, State
from conversations.prompt.other_models import hand_to_another_model
from tests.conversations.answering.tool_wires import calling
from tests.conversations.asking import Opening, begin_and_hang, last_reply, provider_at
from tests.conversations.talking import act
from tests.conversations.upkeep.test_handing_over import hand_over, take_over
from tests.conversations.verbs.desk import Desk
from tests.fakes import ModelServer
from tests.steps import Abort
from tests.wires import chat_chunk, is_text, reply_wire
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db(transaction=True)

CALL = ("toolu_1", "drawer__echo", {"text": "hello"})
SECRETS = (b"Hm.", b"signed", b"sealed", b"extra_content", b"thought_signature")
"""What the first model's server alone can use."""


@pytest.fixture(params=["the same provider", "another provider", "the other protocol"])
def other_server(request: pytest.FixtureRequest, either_server: ModelServer) -> Iterator[ModelServer]:
    """The server of a second model."""
    if request.param == "the same provider":
        yield either_server
        return
    chat, messages = ProtocolName.OPENAI, ProtocolName.ANTHROPIC
    other = messages if either_server.protocol is chat else chat
    with ModelServer(other if request.param == "the other protocol" else either_server.protocol) as server:
        yield server


@pytest.fixture
def other(db: None, either_model: ChatModel, either_server: ModelServer, other_server: ModelServer) -> ChatModel:
    if other_server is either_server:
        return either_model.provider.chat_models.create(model_id="other-model", name="Other model")
    return provider_at(other_server, "Others", model_id="other-model", name="Other model")


def think_and_call(server: ModelServer) -> list[bytes]:
    """A reply that thinks, in all the ways that its server signs, and calls a tool."""
    if server.protocol is ProtocolName.ANTHROPIC:
        return calling(server.protocol, CALL, text="Let me see.", thinking="Hm.")
    details = [{"type": "reasoning.text", "text": "Hm.", "signature": "signed"}]
    call = {
        "index": 0,
        "id": "functions.echo:0",
        "type": "function",
        "function": {"name": CALL[1], "arguments": '{"text": "hello"}'},
        "extra_content": {"google": {"thought_signature": "sealed"}},
    }
    return [
        chat_chunk({"role": "assistant", "reasoning": "Hm.", "reasoning_details": details}),
        chat_chunk({"content": "Let me see."}),
        chat_chunk({"tool_calls": [call]}, "tool_calls"),
        b"data: [DONE]\n\n",
    ]


def check_request(server: ModelServer, *texts: bytes) -> dict[str, Any]:
    """The last request of the second model, without what only the first one can use."""
    request = server.requests[-1]
    assert request.json["model"] == "other-model"
    assert [secret for secret in SECRETS if secret in request.body] == []
    assert [text for text in texts if text not in request.body] == []
    body: dict[str, Any] = request.json
    return body


def call_ids(body: dict[str, Any]) -> list[str]:
    """The ids of calls and of results in a request of either protocol."""
    found = []
    for message in body["messages"]:
        found += [call["id"] for call in message.get("tool_calls") or []]
        found += [message["tool_call_id"]] if "tool_call_id" in message else []
        for block in message["content"] if isinstance(message["content"], list) else []:
            found += [block[name] for name in ("id", "tool_use_id") if name in block]
    return found


async def test_a_tool_loop_is_read_by_another_model(
    either_desk: Desk, other: ChatModel, other_server: ModelServer
) -> None:
    desk = either_desk
    await desk.use("echo")
    desk.server.stream(*think_and_call(desk.server))
    desk.server.say("It said hello.", thinking=["Hm."])
    await desk.browser.say(desk.conversation, "Well?", chat_model=desk.model.pk)
    await desk.until_over(await last_reply(desk.conversation))
    other_server.forget()
    other_server.say("Yes.")
    await desk.browser.say(desk.conversation, "Really?", chat_model=other.pk)
    await desk.until_over(await last_reply(desk.conversation))
    reply = await last_reply(desk.conversation)
    assert (reply.state, reply.chat_model_id) == (State.COMPLETE, other.pk)
    body = check_request(other_server, b"Let me see.", b"hello", b"It said hello.", b"Really?")
    call, result = call_ids(body)
    assert call == result and re.fullmatch("[a-zA-Z0-9_-]{1,40}", call)
    [note] = [note for note in reply.notes if "thinking" in note]
    assert str(other) in note


async def test_a_retry_by_another_model_carries_no_thinking(
    either_desk: Desk, other: ChatModel, other_server: ModelServer
) -> None:
    desk = either_desk
    desk.server.say("One.", thinking=["Hm."])
    await desk.browser.say(desk.conversation, "First?", chat_model=desk.model.pk)
    await desk.until_over(await last_reply(desk.conversation))
    await desk.browser.say(desk.conversation, "Second?", chat_model=desk.model.pk)
    second = await last_reply(desk.conversation)
    await desk.until_over(second)
    other_server.forget()
    other_server.say("Two.")
    await act(desk.browser, desk.conversation, second.message_id, "retries", chat_model=other.pk)
    tab = await desk.browser.open(desk.conversation)
    await tab.until_over((await last_reply(desk.conversation)).message_id)
    check_request(other_server, b"One.", b"Second?")


async def continue_after_the_model_is_gone(desk: Desk, message: int, other: ChatModel) -> Message:
    """Deletes the first model and continues its answer, which the second one then does."""
    await sync_to_async(desk.model.delete)()
    await sync_to_async(other.make_default)()
    await act(desk.browser, desk.conversation, message, "continuations")
    reply = await last_reply(desk.conversation)
    assert (reply.message_id, reply.chat_model_id) == (message, other.pk)
    tab = await desk.browser.open(desk.conversation)
    await tab.until_over(message)
    assert (await last_reply(desk.conversation)).state == State.COMPLETE
    return await Message.objects.aget(pk=message)


async def test_another_model_continues_text_without_the_thinking_before_it(
    either_desk: Desk, other: ChatModel, other_server: ModelServer
) -> None:
    desk = either_desk
    wire = reply_wire(desk.server.protocol, ["Half an"], thinking=["Hm."])
    last = max(index for index, event in enumerate(wire) if is_text(event))
    desk.server.stream(*wire[: last + 1], Abort())
    await desk.browser.say(desk.conversation, "Well?", chat_model=desk.model.pk)
    reply = await last_reply(desk.conversation)
    await desk.until_over(reply)
    other_server.forget()
    other_server.say(" answer.")
    message = await continue_after_the_model_is_gone(desk, reply.message_id, other)
    check_request(other_server, b"Half an")
    assert message.text == "Half an answer." and message.blocks[0]["thinking"] == "Hm."


async def test_another_model_continues_a_tool_loop_with_its_own_thinking_only(
    either_desk: Desk, other: ChatModel, other_server: ModelServer
) -> None:
    desk = either_desk
    await desk.use("echo")
    desk.server.stream(*think_and_call(desk.server))
    desk.server.stream(Abort())
    await desk.browser.say(desk.conversation, "Well?", chat_model=desk.model.pk)
    reply = await last_reply(desk.conversation)
    await desk.until_over(reply)
    other_server.forget()
    own = calling(other_server.protocol, ("toolu_2", "drawer__echo", {"text": "again"}), thinking="Mine.")
    if other_server.protocol is ProtocolName.OPENAI:
        own.insert(1, chat_chunk({"reasoning_content": "Mine."}))
    other_server.stream(*own)
    other_server.say("Done.")
    await continue_after_the_model_is_gone(desk, reply.message_id, other)
    first, second = [request for request in other_server.requests if request.json["model"] == "other-model"]
    for request in (first, second):
        assert [secret for secret in SECRETS[:2] if secret in request.body] == []
        assert b"Let me see." in request.body and b"hello" in request.body
    assert b"Mine." in second.body and b"Mine." not in first.body


async def test_a_tool_loop_of_one_model_keeps_its_thinking_across_a_stop(desk: Desk) -> None:
    await desk.use("echo")
    desk.server.stream(*think_and_call(desk.server))
    desk.server.stream(Abort())
    reply = await desk.ask_and_wait()
    desk.server.forget()
    desk.server.say("Done.")
    await desk.continue_reply(reply)
    await desk.until(reply, State.COMPLETE)
    assert b"sealed" in desk.server.requests[-1].body


async def test_a_tool_loop_that_was_handed_over_keeps_its_thinking(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.use("echo")
    desk.server.stream(*think_and_call(desk.server))
    begin_and_hang(desk.server, "It said ")
    reply = await desk.ask()
    await desk.tab.until(lambda page: "It said" in page.article(reply.message_id))
    assert (await hand_over(desk.conversation)).continues
    await take_over(desk.server, monkeypatch, "hello.")
    await desk.until(reply, State.COMPLETE)
    sent = desk.messages_sent()[1]["content"]
    assert sent[0] == {"type": "thinking", "thinking": "Hm.", "signature": "sealed"}


async def test_the_ids_of_calls_go_back_to_their_server_as_they_came(either_desk: Desk) -> None:
    desk = either_desk
    await desk.use("echo")
    desk.reply_with_calls(("functions.echo:0", *CALL[1:]))
    desk.server.say("Done.")
    await desk.ask_and_wait()
    await desk.ask_and_wait("And now?")
    assert call_ids(desk.server.requests[-1].json) == ["functions.echo:0", "functions.echo:0"]


async def test_a_reader_of_another_model_gets_no_citations(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.say("Hello.")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Hello?")
    first = await last_reply(conversation)
    await tab.until_over(first.message_id)
    cited = {"type": "text", "text": "Cited.", "citations": [{"encrypted_index": "secret"}]}
    searched = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    await Message.objects.filter(pk=first.message_id).aupdate(blocks=[searched, cited])
    for chat_model, is_sent in ((model, True), (await Provider.objects.aget(), False)):
        other = chat_model if is_sent else await chat_model.chat_models.acreate(model_id="b", name="B")
        await tab.browser.say(conversation, "Again?", chat_model=other.pk)
        await tab.until_over((await last_reply(conversation)).message_id)
        assert (b"encrypted_index" in server.requests[-1].body) == is_sent
        assert (b"web_search" in server.requests[-1].body) == is_sent and b"Cited." in server.requests[-1].body


def test_what_was_handed_over_stays_on_the_page_and_is_never_sent() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "signed", "reasoning_field": "reasoning"}
    call = {"type": "tool_use", "id": "a", "name": "f", "input": {}, "extra_content": {"x": 1}}
    blocks: list[dict[str, Any]] = [thought, {"type": "redacted_thinking", "data": "x"}, call]
    assert hand_to_another_model(blocks) == [
        {"type": "thinking", "thinking": "Hm.", "signature": "", "tags": None},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    ]
