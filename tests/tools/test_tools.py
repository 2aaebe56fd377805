"""Which tools there are, and who may use them."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group

from tools import builtin, catalogue
from tools.builtin import BuiltinTool
from tools.errors import HeadersUnreadable
from tools.models import Tool, ToolServer
from tools.results import ToolResult

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock():
    async def run(context, arguments):
        return ToolResult.from_text("noon")

    yield builtin.register(BuiltinTool("tell_time", "Clock", "Tells the time.", {"type": "object"}, run, allowed=True))
    builtin.unregister("tell_time")


def names(person):
    return [tool.wire_name for tool in Tool.objects.usable_by(person)]


def test_a_tool_is_for_nobody_until_it_is_allowed(ada, tool_named):
    echo = tool_named("echo", is_allowed=False)
    assert names(ada) == []
    echo.allow(True)
    assert names(ada) == ["drawer__echo"]
    assert names(AnonymousUser()) == []


@pytest.mark.parametrize("change", [{"is_gone": True}, {"fault": "Its input is not described."}])
def test_what_is_gone_or_broken_is_for_nobody(ada, tool_named, change):
    tool_named("echo", **change)
    assert names(ada) == []


def test_a_disabled_server_takes_its_tools_along(ada, server, tool_named):
    tool_named("echo")
    ToolServer.objects.update(is_enabled=False)
    assert names(ada) == []


def test_a_tool_for_groups_is_for_their_people(ada, ben, mallory, tool_named):
    editors, staff = Group.objects.create(name="Editors"), Group.objects.create(name="Staff")
    ada.groups.add(editors, staff)
    ben.groups.add(staff)
    tool_named("for-all")
    tool_named("for-editors").restrict_to([editors])
    tool_named("for-both").restrict_to([editors, staff])
    assert names(ada) == ["drawer__for-all", "drawer__for-both", "drawer__for-editors"]
    assert names(ben) == ["drawer__for-all", "drawer__for-both"]
    assert names(mallory) == ["drawer__for-all"]


def test_a_tool_whose_group_is_deleted_is_withdrawn_from_all(ada, tool_named):
    editors = Group.objects.create(name="Editors")
    tool = tool_named("secret")
    tool.restrict_to([editors])
    editors.delete()
    assert names(ada) == []
    tool.restrict_to([])
    assert names(ada) == ["drawer__secret"]


def test_built_in_tools_are_there_while_they_are_registered(ada, clock):
    assert names(ada) == []
    catalogue.sync_builtin_tools()
    assert names(ada) == ["tell_time"]
    builtin.unregister("tell_time")
    assert names(ada) == []


def test_what_was_decided_about_a_built_in_tool_stays(ada, clock):
    catalogue.sync_builtin_tools()
    Tool.objects.get().allow(False)
    builtin.register(BuiltinTool("tell_time", "Clock", "Tells it better.", {"type": "object"}, clock.run, allowed=True))
    catalogue.sync_builtin_tools()
    tool = Tool.objects.get()
    assert (tool.description, tool.is_allowed, tool.ask_first, tool.origin) == (
        "Tells it better.",
        False,
        False,
        "Built-in",
    )


@pytest.mark.parametrize("name", ["", "Tell", "tell-time", "tell__time", "_tell", "a" * 65])
def test_a_built_in_tool_has_a_plain_name(name, clock):
    with pytest.raises(ValueError, match="cannot name a built-in tool"):
        builtin.register(BuiltinTool(name, "Clock", "", {}, clock.run))


def test_a_tool_is_described_as_the_messages_api_has_it(tool_named):
    schema = {"$schema": "x", "type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}
    assert tool_named("echo", description="Says it again.", input_schema=schema).definition == {
        "name": "drawer__echo",
        "description": "Says it again.",
        "input_schema": {"type": "object", "properties": {"a": {}}},
    }


def test_headers_are_sealed_and_come_back_to_the_endpoint_alone(server, settings):
    server.set_header("X-Key", "a secret")
    server.set_header("x-key", "another secret")
    server.save()
    assert "secret" not in str(ToolServer.objects.values().get())
    endpoint = ToolServer.objects.get().endpoint()
    assert endpoint.headers == {"x-key": "another secret"} and "secret" not in repr(endpoint)
    settings.SEALING_KEY = "another one"
    assert not server.are_headers_readable
    with pytest.raises(HeadersUnreadable, match="Drawer"):
        server.endpoint()


def test_a_slug_stays_when_a_server_is_renamed(server):
    other = ToolServer.objects.create(name="drawer!", url=server.url)
    server.name = "Cupboard"
    server.save()
    assert (server.slug, other.slug) == ("drawer", "drawer-2")


@pytest.mark.parametrize(
    "url", ["ftp://x/mcp", "/mcp", "http://", "http://u:p@x/mcp", "http://x/mcp?key=1", "http://x:y/"]
)
def test_an_address_follows_the_rules_of_providers(url):
    with pytest.raises(Exception, match="address|Remove"):
        ToolServer(name="X", url=url).full_clean(exclude=["slug"])
