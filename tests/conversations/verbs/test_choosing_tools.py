"""Choosing the tools of a conversation in its settings. One person's choice leaves other people's tools alone."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.test import Client
from lxml import html

from accounts.models import User
from conversations.models import Conversation
from conversations.verbs import turns
from tests.conversations.asking import Opening
from tests.pages import HTMX, Page
from tools import catalogue
from tools.models import Tool, ToolServer

pytestmark = pytest.mark.django_db

type SignedIn = Callable[[User], Client]


@pytest.fixture
def tool() -> Callable[..., Tool]:
    """`tool("echo")` makes a tool that everybody may use."""
    server = ToolServer.objects.create(name="Drawer", url="http://127.0.0.1:9/mcp")

    def make_tool(name: str, *, only_for: User | None = None, **changes: Any) -> Tool:
        fields = {"wire_name": f"drawer__{name}", "input_schema": {"type": "object"}, "is_allowed": True} | changes
        tool = Tool.objects.create(server=server, name=name, **fields)
        if only_for:
            group = Group.objects.create(name=name)
            only_for.groups.add(group)
            tool.restrict_to([group])
        return tool

    return make_tool


def settings_of(conversation: Conversation) -> str:
    return f"/conversations/{conversation.pk}/settings/"


def save_choice(client: Client, conversation: Conversation, *tools: Tool, **fields: Any) -> Any:
    asked = {"tools": [tool.pk for tool in tools], "tool_choice": "auto", **fields}
    return client.post(settings_of(conversation), asked, headers=HTMX)


def chosen_tools(conversation: Conversation) -> list[str]:
    return sorted(tool.name for tool in conversation.tools.all())


def parse(content: bytes) -> Any:
    return html.document_fromstring(content.decode())


def test_tools_are_listed_by_server_and_say_that_they_need_approval(
    browser_of: SignedIn, ada: User, conversation: Conversation, tool: Callable[..., Tool]
) -> None:
    catalogue.sync_builtin_tools()
    echo = tool("echo", title="Echo", description="Says it <b>again</b>.", ask_first=True)
    conversation.tools.add(tool("picture", ask_first=False))
    tool("closed", is_allowed=False)
    form = parse(browser_of(ada).get(settings_of(conversation)).content)
    groups = {group.get("aria-label"): group for group in form.cssselect("#tools [role=group]")}
    assert list(groups) == ["Built-in", "Drawer"]
    labels = [" ".join(label.text_content().split()) for label in groups["Drawer"].cssselect("label")]
    assert labels == ["Echo asks first", "picture"]
    [says] = form.cssselect(f"#tool-{echo.pk}-says")
    assert says.text_content() == "Says it <b>again</b>."
    assert [box.get("checked") is not None for box in groups["Drawer"].cssselect("input")] == [False, True]


def test_without_tools_the_settings_do_not_mention_them(
    browser_of: SignedIn, ada: User, conversation: Conversation
) -> None:
    client = browser_of(ada)
    assert not parse(client.get(settings_of(conversation)).content).cssselect("#tools")
    assert not parse(client.get(f"/conversations/{conversation.pk}/").content).cssselect("#tools-button")
    assert b"tools-button" not in save_choice(client, conversation, system_prompt="Be brief.").content


def test_tools_that_only_others_may_use_stay_chosen(
    browser_of: SignedIn, ada: User, ben: User, conversation: Conversation, tool: Callable[..., Tool]
) -> None:
    bens, echo, picture = tool("bens", only_for=ben), tool("echo"), tool("picture")
    conversation.tools.set([bens, echo])
    form = parse(browser_of(ada).get(settings_of(conversation)).content)
    assert {box.get("value") for box in form.cssselect("[name=tools]")} == {str(echo.pk), str(picture.pk)}
    assert save_choice(browser_of(ada), conversation, picture).status_code == 200
    assert chosen_tools(conversation) == ["bens", "picture"]
    assert save_choice(browser_of(ben), conversation).status_code == 200
    assert chosen_tools(conversation) == []


def test_a_tool_that_the_person_may_not_use_is_refused(
    browser_of: SignedIn, ada: User, ben: User, conversation: Conversation, tool: Callable[..., Tool]
) -> None:
    echo = tool("echo")
    for closed in (tool("bens", only_for=ben), tool("forbidden", is_allowed=False), tool("gone", is_gone=True)):
        answer = save_choice(browser_of(ada), conversation, echo, closed)
        assert answer.status_code == 422
        [fault] = parse(answer.content).cssselect("#tools .field-error")
        assert fault.text_content() == "You no longer have access to one of the tools. Choose again."
        assert chosen_tools(conversation) == []


def test_a_tool_that_every_answer_starts_with_must_be_chosen(
    browser_of: SignedIn, ada: User, conversation: Conversation, tool: Callable[..., Tool]
) -> None:
    echo, picture = tool("echo"), tool("picture")
    answer = save_choice(browser_of(ada), conversation, echo, tool_choice=picture.wire_name)
    assert answer.status_code == 422
    assert "Select this tool above first." in answer.content.decode()
    conversation.refresh_from_db()
    assert (conversation.tool_choice, chosen_tools(conversation)) == ("auto", [])
    assert save_choice(browser_of(ada), conversation, picture, tool_choice=picture.wire_name).status_code == 200
    conversation.refresh_from_db()
    assert (conversation.tool_choice, chosen_tools(conversation)) == (picture.wire_name, ["picture"])
    assert save_choice(browser_of(ada), conversation, picture, tool_choice="drawer__no_such").status_code == 422


def test_a_choice_of_a_tool_that_only_others_may_use_stays(
    browser_of: SignedIn, ada: User, ben: User, conversation: Conversation, tool: Callable[..., Tool]
) -> None:
    bens = tool("bens", only_for=ben)
    echo = tool("echo")
    assert save_choice(browser_of(ben), conversation, bens, tool_choice=bens.wire_name).status_code == 200
    assert save_choice(browser_of(ada), conversation, echo).status_code == 200
    conversation.refresh_from_db()
    assert (conversation.tool_choice, chosen_tools(conversation)) == (bens.wire_name, ["bens", "echo"])


def test_the_composer_shows_each_person_how_many_of_their_tools_are_chosen(
    browser_of: SignedIn, ada: User, ben: User, conversation: Conversation, tool: Callable[..., Tool]
) -> None:
    bens, echo = tool("bens", only_for=ben), tool("echo")
    conversation.tools.add(bens)
    page = f"/conversations/{conversation.pk}/"

    def tools_label(person: User) -> str:
        [button] = parse(browser_of(person).get(page).content).cssselect("#tools-button")
        return str(button.get("aria-label"))

    assert (tools_label(ada), tools_label(ben)) == ("Tools: none selected", "Tools: 1 selected")
    answer = save_choice(browser_of(ada), conversation, echo)
    [partial] = parse(answer.content).cssselect("hx-partial[hx-target='#tools-button']")
    assert partial.cssselect("a")[0].get("aria-label") == "Tools: 1 selected"
    assert (tools_label(ada), tools_label(ben)) == ("Tools: 1 selected", "Tools: 2 selected")


def test_the_tools_button_opens_the_settings_at_the_tools(
    browser_of: SignedIn, ada: User, conversation: Conversation, tool: Callable[..., Tool]
) -> None:
    tool("echo")
    client = browser_of(ada)
    [button] = parse(client.get(f"/conversations/{conversation.pk}/").content).cssselect("#tools-button")
    assert len(parse(client.get(button.get("href")).content).cssselect("#tools [autofocus]")) == 1
    assert not parse(client.get(settings_of(conversation)).content).cssselect("#tools [autofocus]")


@pytest.mark.django_db(transaction=True)
async def test_others_see_at_once_how_many_tools_are_chosen(
    browser: Opening, ada: User, ben: User, conversation: Conversation, tool: Callable[..., Tool]
) -> None:
    make = sync_to_async(tool)
    echo, adas = await make("echo"), await make("adas", only_for=ada)
    elsewhere = await sync_to_async(turns.begin)(ben)
    bens = await browser(ben)
    tab, other = await bens.open(conversation), await bens.open(elsewhere)
    choice = {"tools": [str(echo.pk), str(adas.pk)], "tool_choice": "auto"}
    assert (await (await browser(ada)).post(settings_of(conversation), **choice)).status_code == 200

    def says(page: Page) -> str | None:
        return page.one("#tools-button").get("aria-label")

    await tab.until(lambda page: says(page) == "Tools: 1 selected")
    await other.settle()
    assert says(other.page) == "Tools: none selected"
