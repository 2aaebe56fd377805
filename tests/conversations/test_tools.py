"""Models use tools: the calls run, their results are told, and the answer goes on; some have to be allowed first."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from accounts.models import User
from conversations import turns
from conversations.models import Attachment, Conversation, Generation, State, ToolGrant
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.conversations.tool_wires import calling
from tests.fakes import Hang, ModelServer
from tests.tools.drawer import Drawer, running
from tests.viewers import Browser, Viewer
from tools.models import Tool, ToolServer
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="session")
def drawer_process() -> Iterator[Drawer]:
    with running() as drawer:
        yield drawer


@pytest.fixture
def use(db: None, drawer_process: Drawer, conversation: Conversation) -> Callable[..., Tool]:
    """`use("echo")` is a tool of a real server that the conversation has chosen; it runs at once."""
    server = ToolServer.objects.create(name="Drawer", url=drawer_process.url)

    def chosen(name: str, **changes: Any) -> Tool:
        fields = {"wire_name": f"drawer__{name}", "input_schema": {"type": "object"}, "ask_first": False} | changes
        tool = Tool.objects.create(server=server, name=name, is_allowed=True, **fields)
        conversation.tools.add(tool)
        return tool

    return chosen


@pytest.fixture
def openai_model(db: None) -> Iterator[ModelServer]:
    with ModelServer(ProtocolName.OPENAI) as running:
        provider_at(running)
        yield running


async def asked(tab: Viewer, conversation: Conversation, text: str = "Well?") -> Generation:
    """Says it, and waits until the answer has ended or waits for somebody."""
    answer = await tab.browser.say(conversation, text)
    assert answer.status_code == 201, answer.text
    reply = await last_reply(conversation)
    await tab.until(lambda page: page.has(reply.message_id) and not unfinished(page.state(reply.message_id)))
    return await last_reply(conversation)


def unfinished(state: str) -> bool:
    return state in (State.QUEUED, State.RUNNING)


def kinds(reply: Generation) -> list[str]:
    return [block["type"] for block in reply.message.blocks]


def sent(server: ModelServer, request: int = -1) -> list[dict[str, Any]]:
    """The messages, without the marks of what may be cached."""
    messages: list[dict[str, Any]] = server.requests[request].json["messages"]
    for message in messages:
        for block in message["content"] if isinstance(message["content"], list) else []:
            block.pop("cache_control", None)
    return messages


def progress(tab: Viewer) -> list[str | None]:
    return [card.get("data-progress") for card in tab.page.find(".tool-call")]


async def decide(browser: Browser, reply: Generation, call: str, answer: str) -> int:
    address = f"/conversations/{reply.conversation_id}/messages/{reply.message_id}/tool-decisions/"
    return (await browser.post(address, call=call, answer=answer)).status_code


async def test_a_tool_runs_and_the_answer_goes_on_with_its_result(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo")
    call = ("call_1", "drawer__echo", {"text": "hello"})
    either_server.stream(*calling(either_server.protocol, call, text="Let me see."))
    either_server.say("It said hello.")
    tab = await (await browser(ada)).open(conversation)
    reply = await asked(tab, conversation)
    assert (reply.state, kinds(reply)) == (State.COMPLETE, ["text", "tool_use", "tool_result", "text"])
    assert progress(tab) == ["done"]
    [card] = tab.page.find(".tool-call")
    assert "echo" in card.text_content() and "hello" in card.text_content()
    assert "It said hello." in tab.page.text(reply.message_id)
    assert [each.json["tools"] != [] for each in either_server.requests] == [True, True]
    # Both calls of the upstream are paid for.
    assert (reply.input_tokens, reply.output_tokens) == (17, 25)


async def test_messages_upstreams_get_back_exactly_what_they_said(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo")
    call = ("toolu_1", "drawer__echo", {"text": "hello"})
    server.stream(*calling(server.protocol, call, text="Let me see.", thinking="Hm."))
    server.say("Done.")
    server.say("Again.")
    tab = await (await browser(ada)).open(conversation)
    await asked(tab, conversation)
    said = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sealed"},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "toolu_1", "name": "drawer__echo", "input": {"text": "hello"}},
    ]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "hello"}]}
    in_the_loop = sent(server)
    assert in_the_loop[1:] == [{"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
    await asked(tab, conversation, "And now?")
    assert json.dumps(sent(server)).startswith(json.dumps(in_the_loop)[:-1])


async def test_chat_upstreams_get_calls_and_results_in_their_own_shape(
    browser: Opening, ada: User, conversation: Conversation, use: Callable[..., Tool], openai_model: ModelServer
) -> None:
    await sync_to_async(use)("echo")
    server = openai_model
    server.stream(*calling(server.protocol, ("call_1", "drawer__echo", {"text": "hello"})))
    server.say("Done.")
    tab = await (await browser(ada)).open(conversation)
    await asked(tab, conversation)
    function = {"name": "drawer__echo", "arguments": '{"text":"hello"}'}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    assert sent(server)[1:] == [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": "hello"},
    ]
    [tool] = server.requests[0].json["tools"]
    assert (tool["type"], tool["function"]["name"]) == ("function", "drawer__echo")
    assert server.requests[0].json["tool_choice"] == "auto"


async def test_parallel_calls_run_together_and_their_results_stand_in_order(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
    drawer_process: Drawer,
) -> None:
    await sync_to_async(use)("slow")
    await sync_to_async(use)("echo")
    slow, quick = ("toolu_1", "drawer__slow", {"name": "parallel"}), ("toolu_2", "drawer__echo", {"text": "quick"})
    server.stream(*calling(server.protocol, slow, quick))
    server.say("Done.")
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Well?")
    await drawer_process.saw("began", "parallel")
    reply = await last_reply(conversation)
    await tab.until(lambda page: len(page.find('.tool-call[data-progress="running"]')) == 2)
    drawer_process.end("parallel")
    await tab.until_over(reply.message_id)
    results = [block for block in (await last_reply(conversation)).message.blocks if block["type"] == "tool_result"]
    assert [result["tool_use_id"] for result in results] == ["toolu_1", "toolu_2"]


async def test_a_tool_that_fails_says_so_to_the_model_and_on_its_card(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("failing")
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__failing", {}), ("toolu_2", "no_such_tool", {})))
    server.say("Too bad.")
    tab = await (await browser(ada)).open(conversation)
    reply = await asked(tab, conversation)
    assert (reply.state, progress(tab)) == (State.COMPLETE, ["failed", "failed"])
    assert [result["is_error"] for result in sent(server)[-1]["content"]] == [True, True]


async def test_an_image_that_a_tool_draws_is_kept_as_a_file_and_sent_as_an_image(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("picture")
    model.sees_images = True
    await model.asave()
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__picture", {})))
    server.say("A pixel.")
    tab = await (await browser(ada)).open(conversation)
    reply = await asked(tab, conversation)
    file = await Attachment.objects.aget(message=reply.message)
    [image] = tab.page.find(".tool-call img")
    assert str(file.uuid) in (image.get("src") or "")
    assert (await tab.browser.get(image.get("src") or "")).status_code == 200
    [result] = sent(server)[-1]["content"]
    assert [block["source"]["type"] for block in result["content"] if block["type"] == "image"] == ["base64"]


# Asking first


async def test_a_tool_that_asks_first_waits_for_the_person_who_asked(
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo", ask_first=True)
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__echo", {"text": "hello"}), text="May I?"))
    server.say("Thank you.")
    tab, bens = await (await browser(ada)).open(conversation), await (await browser(ben)).open(conversation)
    reply = await asked(tab, conversation)
    assert (reply.state, progress(tab), len(server.requests)) == (State.WAITING, ["waiting"], 1)
    await bens.until(lambda page: page.find('.tool-call[data-progress="waiting"]'))
    assert bens.page.one(".tool-ask").get("data-author") == str(ada.pk)
    assert await decide(bens.browser, reply, "toolu_1", "once") == 403
    assert await decide(tab.browser, reply, "toolu_9", "once") == 404
    assert await decide(tab.browser, reply, "toolu_1", "perhaps") == 400
    assert await decide(tab.browser, reply, "toolu_1", "once") == 204
    await bens.until(lambda page: page.state(reply.message_id) == State.COMPLETE)
    assert bens.page.text(reply.message_id).endswith("Thank you.")
    assert kinds(await last_reply(conversation)) == ["text", "tool_use", "tool_result", "text"]
    assert await decide(tab.browser, reply, "toolu_1", "refuse") == 204
    assert len(server.requests) == 2


async def test_what_is_refused_does_not_run_and_the_model_is_told(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
    drawer_process: Drawer,
) -> None:
    await sync_to_async(use)("slow", ask_first=True)
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__slow", {"name": "refused"})))
    server.say("As you like.")
    tab = await (await browser(ada)).open(conversation)
    reply = await asked(tab, conversation)
    await decide(tab.browser, reply, "toolu_1", "refuse")
    await tab.until(lambda page: page.state(reply.message_id) == State.COMPLETE)
    [result] = sent(server)[-1]["content"]
    assert result["is_error"] and "refused" in result["content"][0]["text"]
    assert ["began", "refused"] not in drawer_process.seen()


async def test_allowed_for_the_conversation_it_is_not_asked_about_again_by_that_person(
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo", ask_first=True)
    both = [(f"toolu_{number}", "drawer__echo", {"text": "hello"}) for number in (1, 2)]
    server.stream(*calling(server.protocol, *both))
    server.say("First.")
    tab, bens = await (await browser(ada)).open(conversation), await (await browser(ben)).open(conversation)
    reply = await asked(tab, conversation)
    assert await decide(tab.browser, reply, "toolu_1", "always") == 204
    await tab.until(lambda page: page.state(reply.message_id) == State.COMPLETE)
    assert await ToolGrant.objects.filter(person=ada).acount() == 1
    for person_tab, state in ((tab, State.COMPLETE), (bens, State.WAITING)):
        server.stream(*calling(server.protocol, ("toolu_3", "drawer__echo", {"text": "again"})))
        server.say("Next.")
        assert (await asked(person_tab, conversation)).state == state


async def test_waiting_survives_a_restart(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo", ask_first=True)
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__echo", {"text": "hello"}), text="May I?"))
    server.say("Thank you.")
    tab = await (await browser(ada)).open(conversation)
    reply = await asked(tab, conversation)
    assert await sync_to_async(turns.recover)() == []
    tab = await tab.browser.open(conversation)
    assert (tab.page.state(reply.message_id), progress(tab)) == (State.WAITING, ["waiting"])
    await decide(tab.browser, reply, "toolu_1", "once")
    await tab.until(lambda page: page.state(reply.message_id) == State.COMPLETE)
    assert tab.page.text(reply.message_id).endswith("Thank you.")


async def test_while_one_answer_waits_the_next_turn_waits_too_and_stop_ends_both(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo", ask_first=True)
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__echo", {"text": "hello"}), text="May I?"))
    tab = await (await browser(ada)).open(conversation)
    first = await asked(tab, conversation)
    await tab.browser.say(conversation, "And?")
    second = await last_reply(conversation)
    await tab.until(lambda page: page.has(second.message_id) and page.state(second.message_id) == State.QUEUED)
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await tab.until(lambda page: page.state(first.message_id) == page.state(second.message_id) == State.STOPPED)
    assert (progress(tab), len(server.requests)) == (["dropped"], 1)
    assert await decide(tab.browser, first, "toolu_1", "once") == 204
    assert (await last_reply(conversation)).state == State.STOPPED


async def test_stop_in_the_middle_of_a_call_ends_the_call(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
    drawer_process: Drawer,
) -> None:
    await sync_to_async(use)("slow")
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__slow", {"name": "stopped"}), text="Wait."))
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Well?")
    await drawer_process.saw("began", "stopped")
    reply = await last_reply(conversation)
    await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
    await drawer_process.saw("cancelled", "stopped")
    await tab.until(lambda page: page.has(reply.message_id) and page.state(reply.message_id) == State.STOPPED)
    assert (progress(tab), kinds(await last_reply(conversation))) == (["dropped"], ["text", "tool_use"])


# Who may use what, and how often


async def test_only_tools_that_are_open_to_who_asks_are_offered(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo")
    await sync_to_async(use)("slow", is_narrowed=True)
    unchosen = await sync_to_async(use)("picture")
    await conversation.tools.aremove(unchosen)
    server.say("Hello.")
    tab = await (await browser(ada)).open(conversation)
    await asked(tab, conversation)
    assert [tool["name"] for tool in server.requests[0].json["tools"]] == ["drawer__echo"]


@pytest.mark.parametrize(("choice", "on_the_wire"), [("any", {"type": "any"}), ("none", {"type": "none"})])
async def test_the_choice_of_the_conversation_holds_for_how_an_answer_begins(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
    choice: str,
    on_the_wire: dict[str, str],
) -> None:
    await sync_to_async(use)("echo")
    conversation.tool_choice = choice
    await conversation.asave()
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__echo", {"text": "hello"})))
    server.say("Done.")
    tab = await (await browser(ada)).open(conversation)
    await asked(tab, conversation)
    assert server.requests[0].json["tool_choice"] == on_the_wire
    assert server.requests[1].json["tool_choice"] == {"type": "none" if choice == "none" else "auto"}


async def test_a_model_that_never_stops_calling_has_to_answer_in_the_end(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
    settings: Any,
) -> None:
    settings.TOOL_ROUNDS = 2
    await sync_to_async(use)("echo")
    for number in range(3):
        server.stream(*calling(server.protocol, (f"toolu_{number}", "drawer__echo", {"text": "hello"})))
    server.say("Enough.")
    tab = await (await browser(ada)).open(conversation)
    reply = await asked(tab, conversation)
    assert (reply.state, len(server.requests)) == (State.COMPLETE, 4)
    assert server.requests[-1].json["tool_choice"] == {"type": "none"}
    assert progress(tab) == ["done", "done", "failed"]


async def test_an_upstream_that_fails_after_a_tool_has_run_keeps_what_it_did(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo")
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__echo", {"text": "hello"}), text="Let me see."))
    server.refuse(401)
    tab = await (await browser(ada)).open(conversation)
    reply = await asked(tab, conversation)
    assert (reply.state, progress(tab)) == (State.INTERRUPTED, ["done"])


@pytest.mark.parametrize("cut_by", ["a failure after the call", "a stop during the call"])
async def test_an_answer_that_was_cut_at_a_tool_goes_on_from_there(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
    drawer_process: Drawer,
    cut_by: str,
) -> None:
    name = "echo" if cut_by == "a failure after the call" else "slow"
    await sync_to_async(use)(name)
    call = ("toolu_1", f"drawer__{name}", {"text": "hello", "name": "cut"})
    server.stream(*calling(server.protocol, call, text="Let me see."))
    if name == "echo":
        server.refuse(401)
    server.say("It is done.")
    tab = await (await browser(ada)).open(conversation)
    if name == "echo":
        reply = await asked(tab, conversation)
    else:
        await tab.browser.say(conversation, "Well?")
        await drawer_process.saw("began", "cut")
        await tab.browser.post(f"/conversations/{conversation.pk}/stop/")
        reply = await last_reply(conversation)
        await tab.until(lambda page: page.has(reply.message_id) and page.state(reply.message_id) == State.STOPPED)
        drawer_process.end("cut")
    await tab.browser.post(f"/conversations/{conversation.pk}/messages/{reply.message_id}/continuations/")
    await tab.until(lambda page: page.state(reply.message_id) == State.COMPLETE)
    assert kinds(await last_reply(conversation)) == ["text", "tool_use", "tool_result", "text"]
    assert (tab.page.text(reply.message_id).endswith("It is done."), progress(tab)) == (True, ["done"])


async def test_what_only_another_provider_could_read_is_left_behind_and_said_once(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    with ModelServer(ProtocolName.ANTHROPIC) as other:
        elsewhere = await sync_to_async(provider_at)(other, "Elsewhere")
        server.say("First.", thinking=["Hm."])
        other.say("Second.")
        other.say("Third.")
        tab = await (await browser(ada)).open(conversation)
        notes = []
        for number, chosen in enumerate((model, elsewhere, elsewhere)):
            await tab.browser.say(conversation, f"Well? {number}", chat_model=chosen.pk)
            await tab.until_over((await last_reply(conversation)).message_id)
            notes.append([note for note in (await last_reply(conversation)).notes if "thought" in note])
        assert [len(each) for each in notes] == [0, 1, 0]
        assert "thinking" not in json.dumps(sent(other))


async def test_without_tools_the_calls_of_earlier_answers_are_not_told(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    tool = await sync_to_async(use)("echo")
    server.stream(*calling(server.protocol, ("toolu_1", "drawer__echo", {"text": "hello"}), text="Let me see."))
    server.say("It said hello.")
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    await asked(tab, conversation)
    await conversation.tools.aremove(tool)
    await asked(tab, conversation, "Sure?")
    assert "tools" not in server.requests[-1].json
    texts = [block["text"] for message in sent(server) for block in message["content"]]
    assert texts == ["Well?", "Let me see.", "It said hello.", "Sure?"]


async def test_the_input_is_seen_as_it_is_written(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    use: Callable[..., Tool],
) -> None:
    await sync_to_async(use)("echo")
    wire = calling(server.protocol, ("toolu_1", "drawer__echo", {"text": "<b>hello</b> & good bye"}))
    server.stream(*wire[:4], Hang())
    tab = await (await browser(ada)).open(conversation)
    await tab.browser.say(conversation, "Well?")
    await tab.until(lambda page: page.find(".tool-call pre") and page.one(".tool-call pre").text_content())
    late = await tab.browser.open(conversation)
    await late.until(lambda page: page.find('.tool-call[data-progress="writing"]'))
    assert late.page.one(".tool-call pre").text_content() == tab.page.one(".tool-call pre").text_content() != ""
