"""Which tools exist and who may use them."""

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


def test_nobody_can_use_a_tool_until_it_is_allowed(ada, tool_named):
    echo = tool_named("echo", is_allowed=False)
    assert names(ada) == []
    echo.allow(True)
    assert names(ada) == ["drawer__echo"]
    assert names(AnonymousUser()) == []


@pytest.mark.parametrize("change", [{"is_gone": True}, {"fault": "Its input is not described."}])
def test_nobody_can_use_a_removed_or_invalid_tool(ada, tool_named, change):
    tool_named("echo", **change)
    assert names(ada) == []


def test_nobody_can_use_the_tools_of_a_disabled_server(ada, server, tool_named):
    tool_named("echo")
    ToolServer.objects.update(is_enabled=False)
    assert names(ada) == []


def test_only_members_can_use_a_tool_for_groups(ada, ben, mallory, tool_named):
    editors, staff = Group.objects.create(name="Editors"), Group.objects.create(name="Staff")
    ada.groups.add(editors, staff)
    ben.groups.add(staff)
    tool_named("for-all")
    tool_named("for-editors").restrict_to([editors])
    tool_named("for-both").restrict_to([editors, staff])
    assert names(ada) == ["drawer__for-all", "drawer__for-both", "drawer__for-editors"]
    assert names(ben) == ["drawer__for-all", "drawer__for-both"]
    assert names(mallory) == ["drawer__for-all"]


def test_nobody_can_use_a_tool_whose_group_is_deleted(ada, tool_named):
    editors = Group.objects.create(name="Editors")
    tool = tool_named("secret")
    tool.restrict_to([editors])
    editors.delete()
    assert names(ada) == []
    tool.restrict_to([])
    assert names(ada) == ["drawer__secret"]


def test_built_in_tools_can_be_used_while_they_are_registered(ada, clock):
    assert names(ada) == []
    catalogue.sync_builtin_tools()
    assert names(ada) == ["tell_time"]
    builtin.unregister("tell_time")
    assert names(ada) == []


def test_decisions_about_a_built_in_tool_are_kept(ada, clock):
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
def test_a_built_in_tool_needs_a_valid_name(name, clock):
    with pytest.raises(ValueError, match="cannot name a built-in tool"):
        builtin.register(BuiltinTool(name, "Clock", "", {}, clock.run))


def test_a_definition_has_the_form_of_the_messages_api(tool_named):
    schema = {"$schema": "x", "type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}
    assert tool_named("echo", description="Says it again.", input_schema=schema).definition == {
        "name": "drawer__echo",
        "description": "Says it again.",
        "input_schema": {"type": "object", "properties": {"a": {}}},
    }


def test_headers_are_sealed_and_only_the_endpoint_reads_them(server, settings):
    server.set_header("X-Key", "a secret")
    server.set_header("x-key", "another secret")
    server.save()
    assert "secret" not in str(ToolServer.objects.values().get())
    endpoint = ToolServer.objects.get().build_endpoint()
    assert endpoint.headers == {"x-key": "another secret"} and "secret" not in repr(endpoint)
    settings.SEALING_KEY = "another one"
    assert not server.are_headers_readable
    with pytest.raises(HeadersUnreadable, match="Drawer"):
        server.build_endpoint()


def test_a_slug_stays_when_a_server_is_renamed(server):
    other = ToolServer.objects.create(name="drawer!", url=server.url)
    server.name = "Cupboard"
    server.save()
    assert (server.slug, other.slug) == ("drawer", "drawer-2")


@pytest.mark.parametrize(
    "url", ["ftp://x/mcp", "/mcp", "http://", "http://u:p@x/mcp", "http://x/mcp?key=1", "http://x:y/"]
)
def test_an_address_follows_the_same_rules_as_for_providers(url):
    with pytest.raises(Exception, match="address|Remove"):
        ToolServer(name="X", url=url).full_clean(exclude=["slug"])
