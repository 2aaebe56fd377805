"""Replies that fail: the text that arrived is kept, and everyone can read why the reply ended."""

import socket
from collections.abc import Iterable
from typing import Any

import pytest

from accounts.models import User
from conversations.models import Conversation, Generation, State
from tests.conversations.asking import Opening, last_reply
from tests.fakes import ModelServer
from tests.steps import Abort, Gate, Step
from tests.viewers import Viewer
from tests.wires import is_text, reply_wire
from upstreams.models import ChatModel, Provider

pytestmark = pytest.mark.django_db(transaction=True)


def cut_off_after(server: ModelServer, count: int) -> Iterable[Step]:
    """A reply of these pieces, after which the connection is cut."""
    for event in reply_wire(server.protocol, ["Half ", "an ", "answer"]):
        if is_text(event):
            count -= 1
        if count < 0:
            yield Abort()
            return
        yield event


async def asked(browser: Opening, person: User, conversation: Conversation) -> tuple[Viewer, Generation]:
    """A person asks and watches until the reply is over."""
    tab = await (await browser(person)).open(conversation)
    await tab.browser.say(conversation, "Well?")
    await tab.until_over((await last_reply(conversation)).message_id)
    return tab, await last_reply(conversation)


async def test_a_broken_stream_keeps_the_text_that_arrived(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.stream(*cut_off_after(either_server, 2))
    tab, reply = await asked(browser, ada, conversation)
    assert (reply.state, reply.error_kind) == (State.INTERRUPTED, "broken_stream")
    assert reply.message.text == "Half an "
    assert tab.page.text(reply.message_id) == "Half an"
    article = tab.page.article(reply.message_id)
    assert "Interrupted." in article and "The text received so far is kept." in article
    assert len(either_server.requests) == 1


async def test_a_stream_that_breaks_before_its_first_word_is_retried(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.stream(*cut_off_after(either_server, 0))
    either_server.say("Here I am.")
    tab, reply = await asked(browser, ada, conversation)
    assert reply.state == State.COMPLETE
    assert tab.page.text(reply.message_id) == "Here I am."


async def test_a_stream_without_a_word_has_failed(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.stream(*cut_off_after(either_server, 0))
    tab, reply = await asked(browser, ada, conversation)
    assert reply.state == State.FAILED
    assert "No answer. " + reply.error_message in tab.page.article(reply.message_id)


REFUSALS: list[tuple[int, str, str, str]] = [
    (400, "invalid_request_error", "invalid_request", "rejected the request as invalid"),
    (401, "authentication_error", "authentication", "rejected the API key"),
    (403, "permission_error", "permission", "has no access to this model"),
    (404, "not_found_error", "unknown_model", "did not find this model"),
    (413, "request_too_large", "request_too_large", "too long for this model"),
    (429, "rate_limit_error", "rate_limited", "is limiting requests"),
    (500, "api_error", "server_failed", "reported an internal error"),
    (529, "overloaded_error", "overloaded", "is overloaded"),
]


@pytest.mark.parametrize(("status", "kind", "expected", "words"), REFUSALS)
async def test_an_upstreams_refusal_is_explained(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    status: int,
    kind: str,
    expected: str,
    words: str,
) -> None:
    server.refuse(status, kind, "their <b>own</b> words", retry_after="0")
    tab, reply = await asked(browser, ada, conversation)
    assert (reply.state, reply.error_kind) == (State.FAILED, expected)
    assert words in reply.error_message
    article = tab.page.article(reply.message_id)
    assert reply.error_message in article
    assert "their <b>own</b> words" in article
    assert reply.message.blocks == []


async def test_a_missing_server_is_explained(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    await Provider.objects.aupdate(base_url=f"http://127.0.0.1:{port}")
    tab, reply = await asked(browser, ada, conversation)
    assert (reply.state, reply.error_kind) == (State.FAILED, "unreachable")
    assert "Could not connect to Testing" in tab.page.article(reply.message_id)


async def test_a_web_page_at_the_address_is_explained(
    browser: Opening, ada: User, conversation: Conversation, either_server: ModelServer, either_model: ChatModel
) -> None:
    either_server.body(b"<html>Welcome</html>", headers={"content-type": "text/html"})
    tab, reply = await asked(browser, ada, conversation)
    assert (reply.state, reply.error_kind) == (State.FAILED, "not_a_model_server")
    assert "did not respond like a model server" in tab.page.article(reply.message_id)


async def test_a_missing_model_is_explained(browser: Opening, ada: User, conversation: Conversation) -> None:
    tab, reply = await asked(browser, ada, conversation)
    assert (reply.state, reply.error_kind) == (State.FAILED, "no_model")
    assert "No model is connected." in tab.page.article(reply.message_id)


async def test_an_unreadable_key_is_explained(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel, settings: Any
) -> None:
    settings.SEALING_KEY = "another sealing key than the one it was sealed with"
    tab, reply = await asked(browser, ada, conversation)
    assert (reply.state, reply.error_kind) == (State.FAILED, "sealed_key")
    assert "An administrator can enter the API key of this model's provider again" in tab.page.article(reply.message_id)
    assert server.requests == []


async def test_settings_that_the_model_does_not_allow_are_fitted_and_noted(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    await Conversation.objects.filter(pk=conversation.pk).aupdate(temperature=1.5)
    server.say("Hello.")
    _, reply = await asked(browser, ada, conversation)
    assert reply.state == State.COMPLETE
    assert server.requests[0].json["temperature"] == 1
    assert reply.notes == ["Temperature was sent as 1, the highest value for this model."]


async def test_a_model_that_was_deleted_while_the_turn_was_queued_is_explained(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    gate = Gate()
    server.stream(gate, *reply_wire(server.protocol, ["First."]))
    tab = await (await browser(ada)).open(conversation)
    for text in ("One?", "Two?"):
        await tab.browser.say(conversation, text)
    second = (await last_reply(conversation)).message_id
    await ChatModel.objects.filter(pk=model.pk).adelete()
    gate.open()
    await tab.until_over(second)
    assert tab.page.state(second) == "failed"
    article = tab.page.article(second)
    assert "Test model" in article and "No model is connected." in article


async def test_after_a_failure_the_conversation_goes_on(
    browser: Opening, ada: User, conversation: Conversation, server: ModelServer, model: ChatModel
) -> None:
    server.refuse(400, "invalid_request_error", "no")
    server.say("Better.")
    tab, _ = await asked(browser, ada, conversation)
    await tab.browser.say(conversation, "And now?")
    reply = await last_reply(conversation)
    await tab.until_over(reply.message_id)
    assert tab.page.text(reply.message_id) == "Better."
    said = [message["role"] for message in server.requests[-1].json["messages"]]
    assert "assistant" not in said
