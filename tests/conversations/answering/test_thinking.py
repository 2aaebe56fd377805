"""Choosing how a model thinks: what the settings offer, and what the upstream is asked for."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from lxml import html

from accounts.models import User
from conversations.models import Conversation, Path, ThinkingMode
from conversations.verbs import forking
from conversations.verbs.writing import add_turn
from tests.conversations.asking import Opening, last_reply, provider_at
from tests.fakes import ModelServer
from tests.pages import HTMX, form_errors
from upstreams.endpoint import ProtocolName
from upstreams.models import ChatModel, Provider

type SignedIn = Callable[[User], Client]


def offered(browser: Client, conversation: Conversation, field: str) -> list[str] | None:
    """The choices of a settings field; None when the field is absent."""
    page = html.document_fromstring(browser.get(f"/conversations/{conversation.pk}/settings/").content.decode())
    [*found] = page.cssselect(f"select[name={field}]")
    return [option.get("value") for option in found[0].cssselect("option")] if found else None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"supports_thinking": True}, ["", "off", "budget"]),
        ({"supports_thinking": False, "thinks_adaptively": True}, ["", "off", "adaptive"]),
        ({"supports_thinking": True, "thinks_adaptively": True}, ["", "off", "budget", "adaptive"]),
        ({"supports_thinking": False}, ["", "off"]),
    ],
)
def test_only_the_kinds_that_the_model_has_are_offered(
    browser_of: SignedIn,
    ada: User,
    conversation: Conversation,
    model: ChatModel,
    kinds: dict[str, bool],
    expected: list[str],
) -> None:
    ChatModel.objects.update(**kinds)
    assert offered(browser_of(ada), conversation, "thinking") == expected
    efforts = ["", "low", "medium", "high", "xhigh", "max"] if "adaptive" in expected else None
    assert offered(browser_of(ada), conversation, "reasoning_effort") == efforts


@pytest.mark.django_db
def test_what_was_set_for_another_model_can_be_switched_off(
    browser_of: SignedIn, ada: User, conversation: Conversation, model: ChatModel
) -> None:
    ChatModel.objects.update(supports_thinking=False)
    Conversation.objects.update(thinking=ThinkingMode.ADAPTIVE)
    assert offered(browser_of(ada), conversation, "thinking") == ["", "off", "adaptive"]
    where = f"/conversations/{conversation.pk}/settings/"
    refused = browser_of(ada).post(where, {"thinking": "adaptive"}, headers=HTMX)
    assert "does not support adaptive thinking" in form_errors(refused.content)["thinking"]
    assert browser_of(ada).post(where, {"thinking": ""}).status_code == 302
    conversation.refresh_from_db()
    assert conversation.thinking == ThinkingMode.DEFAULT


@pytest.mark.django_db
@pytest.mark.parametrize("takes_effort", [True, False])
def test_chat_completions_are_offered_an_effort_where_the_provider_takes_it(
    browser_of: SignedIn, ada: User, conversation: Conversation, model: ChatModel, takes_effort: bool
) -> None:
    Provider.objects.update(protocol="openai", reasoning_effort=takes_effort)
    assert offered(browser_of(ada), conversation, "thinking") == (None if takes_effort else ["", "off"])
    effort = offered(browser_of(ada), conversation, "reasoning_effort")
    assert effort == (["", "none", "minimal", "low", "medium", "high", "xhigh", "max"] if takes_effort else None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("budget", "words"),
    [("10", "at least 1,024 tokens"), ("", "Enter a thinking budget"), ("9999", "less than the maximum answer length")],
)
def test_an_impossible_budget_is_refused_at_its_field(
    browser_of: SignedIn, ada: User, conversation: Conversation, model: ChatModel, budget: str, words: str
) -> None:
    asked = {"thinking": "budget", "thinking_budget": budget, "max_tokens": "8000"}
    answer = browser_of(ada).post(f"/conversations/{conversation.pk}/settings/", asked, headers=HTMX)
    assert answer.status_code == 422
    assert words in form_errors(answer.content)["thinking_budget"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("chosen", "sent"),
    [
        ({"thinking": "adaptive"}, {"thinking": {"type": "adaptive"}}),
        (
            {"thinking": "adaptive", "reasoning_effort": "xhigh"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
        ),
        ({"thinking": "", "reasoning_effort": "low"}, {"output_config": {"effort": "low"}}),
        (
            {"thinking": "budget", "thinking_budget": 2048},
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
        ),
        ({"thinking": "", "thinking_budget": 2048}, {}),
        ({"thinking": "off", "thinking_budget": 2048}, {"thinking": {"type": "disabled"}}),
    ],
)
async def test_the_upstream_is_asked_for_the_chosen_thinking(
    browser: Opening,
    ada: User,
    conversation: Conversation,
    server: ModelServer,
    model: ChatModel,
    chosen: dict[str, Any],
    sent: dict[str, Any],
) -> None:
    await ChatModel.objects.aupdate(thinks_adaptively=True)
    server.say("Yes.")
    tab = await (await browser(ada)).open(conversation)
    answer = await tab.browser.post(f"/conversations/{conversation.pk}/settings/", **chosen)
    assert answer.status_code in (200, 302), answer.text
    await tab.browser.say(conversation, "Hello?")
    await tab.until_over((await last_reply(conversation)).message_id)
    asked = server.requests[-1].json
    assert {name: asked[name] for name in ("thinking", "output_config") if name in asked} == sent
    assert (await last_reply(conversation)).notes == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("takes_effort", "sent"),
    [
        (False, {"chat_template_kwargs": {"enable_thinking": False}, "thinking": {"type": "disabled"}}),
        (True, {"reasoning_effort": "none"}),
    ],
)
async def test_a_chat_model_is_told_not_to_think(
    browser: Opening, ada: User, conversation: Conversation, takes_effort: bool, sent: dict[str, Any]
) -> None:
    with ModelServer(ProtocolName.OPENAI) as server:
        await sync_to_async(provider_at)(server)
        await Provider.objects.aupdate(reasoning_effort=takes_effort)
        await Conversation.objects.aupdate(thinking=ThinkingMode.OFF)
        server.say("Yes.")
        tab = await (await browser(ada)).open(conversation)
        await tab.browser.say(conversation, "Hello?")
        await tab.until_over((await last_reply(conversation)).message_id)
        asked = server.requests[-1].json
        names = ("chat_template_kwargs", "thinking", "reasoning_effort")
        assert {name: asked[name] for name in names if name in asked} == sent
    assert (await last_reply(conversation)).state == "complete"


@pytest.mark.django_db
def test_a_fork_thinks_as_its_source_does(ada: User, conversation: Conversation, model: ChatModel) -> None:
    Conversation.objects.update(thinking="budget", thinking_budget=2048, reasoning_effort="high")
    conversation.refresh_from_db()
    said = add_turn(Path.through(conversation), ada, "Hello", model).message
    fork = forking.fork(said, ada)
    assert (fork.thinking, fork.thinking_budget, fork.reasoning_effort) == ("budget", 2048, "high")
