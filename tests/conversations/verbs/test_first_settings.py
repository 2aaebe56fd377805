"""Settings chosen before the first question belong to the conversation that the question begins."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from conversations.models import Conversation
from tests.pages import HTMX
from tools.models import Tool, ToolServer
from upstreams.models import ChatModel

pytestmark = pytest.mark.django_db

type SignedIn = Callable[[User], Client]
ADDRESS = "/new/settings/"


@pytest.fixture
def echo() -> Tool:
    server = ToolServer.objects.create(name="Drawer", url="http://127.0.0.1:9/mcp")
    return Tool.objects.create(
        server=server, name="echo", wire_name="drawer__echo", input_schema={"type": "object"}, is_allowed=True
    )


def choose(client: Client, **fields: Any) -> Any:
    return client.post(ADDRESS, {"tool_choice": "auto", **fields}, headers=HTMX)


def begin(client: Client, text: str = "Hello", **fields: Any) -> Conversation:
    assert client.post("/turns/", {"text": text, **fields}).status_code == 302
    return Conversation.objects.begun().latest("pk")


def test_the_first_question_takes_the_settings_and_the_next_conversation_starts_anew(
    browser_of: SignedIn, ada: User, model: ChatModel, echo: Tool
) -> None:
    adas = browser_of(ada)
    assert choose(adas, system_prompt="Be brief.", temperature="0.5", tools=[echo.pk]).status_code == 200
    first = begin(adas)
    assert (first.system_prompt, first.temperature, list(first.tools.all())) == ("Be brief.", 0.5, [echo])
    assert (first.title, first.chat_model, first.participants.get().user) == ("Hello", model, ada)
    second = begin(adas)
    assert second != first
    assert (second.system_prompt, second.temperature, list(second.tools.all())) == ("", None, [])


def test_what_was_chosen_is_shown_until_the_conversation_begins(
    browser_of: SignedIn, ada: User, model: ChatModel, echo: Tool
) -> None:
    adas = browser_of(ada)
    assert b"Tools: none selected" in adas.get("/").content
    choose(adas, system_prompt="Be brief.", tools=[echo.pk])
    home = adas.get("/").content
    assert b"Tools: 1 selected" in home and b"data-changed" in home
    assert b"Be brief." in adas.get(ADDRESS).content
    begin(adas)
    assert b"Be brief." not in adas.get(ADDRESS).content
    assert b"data-changed" not in adas.get("/").content


def test_nobody_sees_a_conversation_that_has_not_begun(
    browser_of: SignedIn, ada: User, ben: User, root: User, model: ChatModel
) -> None:
    choose(browser_of(ada), system_prompt="Be brief.")
    prepared = Conversation.objects.get()
    for person in (ada, ben, root):
        client = browser_of(person)
        assert client.get(f"/conversations/{prepared.pk}/").status_code == 404
        assert client.get(f"/conversations/{prepared.pk}/settings/").status_code == 404
        assert b"conversation-row" not in client.get("/").content
    assert b"Be brief." not in browser_of(ben).get(ADDRESS).content
    listed = browser_of(root).get("/admin/conversations/conversation/").content
    assert b"New conversation" not in listed
    ada.delete()
    assert not Conversation.objects.exists()


def test_looking_at_the_settings_and_a_refused_value_change_nothing(
    browser_of: SignedIn, ada: User, model: ChatModel
) -> None:
    adas = browser_of(ada)
    assert adas.get("/").status_code == adas.get(ADDRESS).status_code == 200
    assert choose(adas, temperature="9").status_code == 422
    assert not Conversation.objects.begun().exists()
    assert begin(adas).temperature is None


def test_settings_are_checked_against_the_model_in_the_composer(
    browser_of: SignedIn, ada: User, model: ChatModel
) -> None:
    small = model.provider.chat_models.create(model_id="small", name="Small model", max_output_tokens=100)
    adas = browser_of(ada)
    assert choose(adas, max_tokens="500").status_code == 200
    refused = choose(adas, max_tokens="600", chat_model=small.pk)
    assert refused.status_code == 422 and b"Small model" in refused.content
    small.set_offered(False)
    assert choose(adas, max_tokens="600", chat_model=small.pk).status_code == 200


def test_a_question_sent_twice_begins_one_conversation_with_the_settings(
    browser_of: SignedIn, ada: User, model: ChatModel
) -> None:
    adas, key = browser_of(ada), "0198c0de-0000-7000-8000-000000000001"
    choose(adas, system_prompt="Be brief.")
    assert begin(adas, key=key) == begin(adas, key=key)
    assert [each.system_prompt for each in Conversation.objects.all()] == ["Be brief."]
