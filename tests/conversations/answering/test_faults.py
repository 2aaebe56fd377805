"""Every fault of an upstream: the state is true, the text is complete so far, and people learn what they can do."""

import json
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest

from accounts.models import User
from conversations.answering.upstream_call import UpstreamCalls
from conversations.live.hub import Frame, conversation_topic, hub
from conversations.models import Conversation, Message, State
from tests.conversations.asking import Opening, last_reply
from tests.conversations.talking import act, actions_of, ask_and_wait, retry_and_read
from tests.fakes import ModelServer
from tests.pages import words
from tests.steps import Abort, Answer, Hang, Pause, Step
from tests.viewers import Viewer
from tests.wires import is_text, messages_event, reply_wire
from upstreams.client import LIMITS, stream_reply
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = replace(LIMITS, backoff=0.001, longest_wait=0.01, retries=1)
HALF = "Half\n\nan 日本"
WHOLE = "Half\n\nan answer. 日本語🙂"

type Script = Callable[[ModelServer], Answer]


def half(server: ModelServer) -> list[Step]:
    """A reply up to its last word, without its end."""
    wire = reply_wire(server.protocol, ["Half\n\n", "an ", "日本"])
    last = max(index for index, event in enumerate(wire) if is_text(event))
    return list(wire[: last + 1])


def opening(server: ModelServer) -> list[Step]:
    """A reply up to its first word."""
    wire = reply_wire(server.protocol, ["Never said"])
    return list(wire[: min(index for index, event in enumerate(wire) if is_text(event))])


def error_event(server: ModelServer) -> bytes:
    if server.protocol is ProtocolName.ANTHROPIC:
        return messages_event({"type": "error", "error": {"type": "overloaded_error", "message": "their words"}})
    return b'data: {"error": {"message": "their words", "type": "server_error", "code": 503}}\n\n'


def refusal(status: int, kind: str) -> Script:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "their words"}}).encode()
    headers = {"content-type": "application/json", "retry-after": "0"}
    return lambda server: Answer([body], status, headers, length=len(body))


MALFORMED = [b"data: {not json\n\n", b"data: [1, 2\n\n", b"data: \xff\xfe\n\n"]
KEPT_ALIVE: list[Step] = [step for _ in range(40) for step in (Pause(0.1), b": ping\n\n")]

AFTER_TEXT: dict[str, Script] = {
    "the connection is dropped": lambda server: Answer([*half(server), Abort()]),
    "the stream ends early and cleanly": lambda server: Answer(half(server)),
    "the upstream says that it failed": lambda server: Answer([*half(server), error_event(server)]),
    "silence": lambda server: Answer([*half(server), Hang()]),
    "nothing but signs of life": lambda server: Answer([*half(server), *KEPT_ALIVE]),
    "a line that is no JSON": lambda server: Answer([*half(server), MALFORMED[0], *half(server)]),
    "a line that is cut": lambda server: Answer([*half(server), MALFORMED[1]]),
    "bytes that are no text": lambda server: Answer([*half(server), MALFORMED[2]]),
}
BEFORE_TEXT: dict[str, Script] = {
    "the connection is dropped before the head": lambda server: Answer([], before=[Abort()]),
    "the connection is dropped at once": lambda server: Answer([Abort()]),
    "the connection is dropped before the first word": lambda server: Answer([*opening(server), Abort()]),
    "the stream is empty": lambda server: Answer([]),
    "the stream ends before the first word": lambda server: Answer(opening(server)),
    "the upstream says that it failed": lambda server: Answer([*opening(server), error_event(server)]),
    "silence after the head": lambda server: Answer([*opening(server), Hang()]),
    "a line that is no JSON": lambda server: Answer([MALFORMED[0]]),
    "the reply says nothing": lambda server: Answer(reply_wire(server.protocol, [])),
    "429": refusal(429, "rate_limit_error"),
    "500": refusal(500, "api_error"),
    "529": refusal(529, "overloaded_error"),
    "401": refusal(401, "authentication_error"),
}


@pytest.fixture
async def tab(
    browser: Opening, ada: User, conversation: Conversation, either_model: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> Viewer:
    """Ada's, on a site with short timeouts."""
    assert stream_reply.__kwdefaults__ is not None
    monkeypatch.setitem(stream_reply.__kwdefaults__, "limits", QUICK)
    await Provider.objects.aupdate(silence_timeout=1, content_timeout=1)
    return await (await browser(ada)).open(conversation)


async def retry_works(tab: Viewer, conversation: Conversation, server: ModelServer, message: int) -> None:
    server.forget()
    server.say("A whole answer.")
    await retry_and_read(tab, conversation, message, "A whole answer.")
    assert (await last_reply(conversation)).state == State.COMPLETE


@pytest.mark.parametrize("fault", AFTER_TEXT)
async def test_a_fault_after_the_first_words_keeps_them_and_the_answer_can_be_continued(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel, fault: str
) -> None:
    either_server.answer(AFTER_TEXT[fault](either_server))
    reply = await ask_and_wait(tab, conversation, "Well?")
    message = reply.message_id
    assert (reply.state, reply.message.text) == (State.INTERRUPTED, HALF)
    assert [words(line) for line in tab.page.find(f"#m{message}-body p")] == ["Half", "an 日本"]
    article = tab.page.article(message)
    assert f"Interrupted. {reply.error_message} The text received so far is kept." in article
    assert "Testing" in reply.error_message
    # An answer that has begun is not retried: viewers would read its beginning twice.
    assert len(either_server.requests) == 1
    assert {"Continue", "Retry"} <= actions_of(tab.page, message)
    either_server.forget()
    either_server.say("語.")
    await act(tab.browser, conversation, message, "continuations")
    await tab.until(lambda page: page.text(message).endswith("日本語."))
    await tab.until_over(message)
    assert (await Message.objects.aget(pk=message)).text == f"{HALF}語."
    assert tab.page.state(message) == "complete"
    await retry_works(tab, conversation, either_server, message)


@pytest.mark.parametrize("fault", BEFORE_TEXT)
async def test_a_fault_before_the_first_word_is_explained_and_can_be_retried(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel, fault: str
) -> None:
    either_server.answer(BEFORE_TEXT[fault](either_server))
    reply = await ask_and_wait(tab, conversation, "Well?")
    message = reply.message_id
    assert (reply.state, reply.message.text, tab.page.text(message)) == (State.FAILED, "", "")
    assert f"No answer. {reply.error_message}" in tab.page.article(message)
    assert reply.error_message.endswith(".") and "Testing" in reply.error_message
    assert "Retry" in actions_of(tab.page, message) and "Continue" not in actions_of(tab.page, message)
    await retry_works(tab, conversation, either_server, message)


async def test_an_upstream_that_never_answers_times_out(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    await type(either_model.provider).objects.aupdate(first_byte_timeout=1)
    either_server.answer(Answer([], before=[Hang()]))
    reply = await ask_and_wait(tab, conversation, "Well?")
    assert (reply.state, reply.message.text) == (State.FAILED, "")
    assert "Testing" in reply.error_message
    await retry_works(tab, conversation, either_server, reply.message_id)


def whole(server: ModelServer) -> list[bytes]:
    return reply_wire(server.protocol, [WHOLE[:9], WHOLE[9:14], WHOLE[14:]])


def in_pieces(server: ModelServer, seed: int) -> list[Step]:
    """The same bytes, cut anywhere: in characters, line ends and names."""
    rest, chance = b"".join(whole(server)), random.Random(seed)
    steps: list[Step] = []
    while rest:
        size = chance.randrange(1, 12)
        steps.append(rest[:size])
        rest = rest[size:]
    return steps


ODDITIES: dict[str, Script] = {
    "a slow head": lambda server: Answer(whole(server), before=[Pause(0.3)]),
    "slow words": lambda server: Answer([each for step in whole(server) for each in (step, Pause(0.05))]),
    "odd cuts": lambda server: Answer(in_pieces(server, 1)),
    "other odd cuts": lambda server: Answer(in_pieces(server, 2)),
    "more odd cuts": lambda server: Answer(in_pieces(server, 3)),
    "everything in one piece": lambda server: Answer([b"".join(whole(server))]),
    "carriage returns": lambda server: Answer([each.replace(b"\n", b"\r\n") for each in whole(server)]),
    "comments": lambda server: Answer([each for step in whole(server) for each in (b": hm\n\n", step)]),
    "text after the end": lambda server: Answer([*whole(server), *half(server)]),
    "rubbish after the end": lambda server: Answer([*whole(server), *MALFORMED]),
    "an error after the end": lambda server: Answer([*whole(server), error_event(server)]),
    "a connection dropped after the end": lambda server: Answer([*whole(server), Abort()]),
    "silence after the end": lambda server: Answer([*whole(server), Hang()]),
}


@pytest.mark.parametrize("oddity", ODDITIES)
async def test_harmless_oddities_change_nothing(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel, oddity: str
) -> None:
    either_server.answer(ODDITIES[oddity](either_server))
    reply = await ask_and_wait(tab, conversation, "Well?")
    assert (reply.state, reply.error_kind) == (State.COMPLETE, "")
    assert reply.message.text == WHOLE
    assert len(either_server.requests) == 1


@pytest.mark.parametrize("fault", ["429", "500", "529", "the connection is dropped at once", "the stream is empty"])
async def test_a_temporary_fault_is_retried_unnoticed(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel, fault: str
) -> None:
    either_server.answer(BEFORE_TEXT[fault](either_server))
    either_server.say("A whole answer.")
    reply = await ask_and_wait(tab, conversation, "Well?")
    assert (reply.state, reply.message.text, reply.error_message) == (State.COMPLETE, "A whole answer.", "")
    assert len(either_server.requests) == 2


PIECES = [
    *("# Title\n", "\nSome ", "**bo", "ld** and `co", "de`.\n\n", "- one\n", "- t", "wo\n\n", "```py\nx", " = 1\n"),
    *("y = 2\n```\n", "\n| a | b |\n|---|---|\n", "| 1 | 2 |\n", "\nThe ", "end 🙂."),
]


@pytest.mark.parametrize("seed", range(6))
async def test_lost_frames_and_broken_connections_leave_everyone_with_the_right_text(
    browser: Opening,
    ada: User,
    ben: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    seed: int,
) -> None:
    chance = random.Random(seed)
    server.say(*PIECES)
    server.hold()
    steady = await (await browser(ada)).open(conversation)
    await steady.settle()
    reliable = set(hub._viewers[conversation_topic(conversation.pk)])
    tabs = [steady, *[await (await browser(person)).open(conversation) for person in (ada, ben)]]
    await steady.browser.say(conversation, "Well?")
    message = (await last_reply(conversation)).message_id
    await steady.until(lambda page: page.has(message))
    for _ in PIECES:
        for queue in hub._viewers[conversation_topic(conversation.pk)] - reliable:
            if chance.random() < 0.3:
                lose_some(queue, chance)
        seen = len(steady.messages)
        server.step()
        if chance.random() < 0.5:
            await steady.until(lambda _, seen=seen: len(steady.messages) > seen)
        for tab in tabs[1:]:
            if chance.random() < 0.3:
                await tab.reconnect()
    server.release()
    await steady.until_over(message)
    fresh = (await steady.browser.load(conversation)).page.article(message)
    for tab in tabs:
        await tab.until(lambda page: page.has(message) and page.article(message) == fresh)
    assert (await Message.objects.aget(pk=message)).text == "".join(PIECES)


def lose_some(queue: object, chance: random.Random) -> None:
    """Drops about every other frame of the growing reply from now on."""
    offer = type(queue).offer

    def lossy(frame: Frame) -> None:
        if frame.revision or not frame.relay or chance.random() < 0.6:
            offer(queue, frame)

    queue.offer = lossy  # type: ignore[attr-defined]


async def test_a_fault_of_the_site_names_the_reference_that_the_log_has(
    tab: Viewer,
    conversation: Conversation,
    either_server: ModelServer,
    either_model: ChatModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no tea")

    monkeypatch.setattr(UpstreamCalls, "carry", fail)
    monkeypatch.setattr(logging.getHandlerByName("console"), "stream", log := StringIO())
    reply = await ask_and_wait(tab, conversation, "Well?")
    assert (reply.state, reply.error_kind) == (State.FAILED, "internal")
    assert f"Reference: answer-{reply.pk}" in tab.page.article(reply.message_id)
    assert f" [answer-{reply.pk}]: Generation {reply.pk} failed\n" in log.getvalue()


async def test_a_fault_of_an_upstream_names_no_reference(
    tab: Viewer, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.answer(BEFORE_TEXT["401"](either_server))
    reply = await ask_and_wait(tab, conversation, "Well?")
    assert "Reference" not in tab.page.article(reply.message_id)
