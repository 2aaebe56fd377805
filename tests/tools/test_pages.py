"""The pages where administrators connect tool servers and choose tools."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from lxml import html

from tests.pages import HTMX, words
from tests.tools.mcp_server import KEY, TOOLS, schema
from tools import builtin
from tools.builtin import BuiltinTool
from tools.models import Tool, ToolServer
from tools.results import ToolResult

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = {"name": "Drawer", "is_enabled": "on"}


@pytest.fixture
def admin(root, browser_of):
    return browser_of(root)


def at(name, *args):
    return reverse(name, args=args)


def text_of(answer, selector="body"):
    [element] = html.document_fromstring(answer.text).cssselect(selector)
    return words(element)


def test_without_servers_the_page_explains_how_to_start(admin):
    page = admin.get(at("tools"))
    assert "Connect an MCP server" in text_of(page, "main") and at("tool_server_add") in page.text
    assert f'href="{at("tools")}"' in text_of_menu(page)


def text_of_menu(page):
    [menu] = html.document_fromstring(page.text).cssselect("#person-menu")
    return html.tostring(menu, encoding="unicode")


def test_a_server_is_added_with_its_headers_and_checked(admin, drawer):
    fields = {"url": drawer.at("/guarded"), "header_name_0": "X-Key", "header_value_0": KEY, "call_timeout": "9"}
    answer = admin.post(at("tool_server_add"), FIELDS | fields)
    server = ToolServer.objects.get()
    assert answer["Location"] == at("tool_server", server.pk)
    assert (server.header_names, server.build_endpoint().timeout) == (["X-Key"], 9.0)
    page = admin.get(answer["Location"])
    assert 'hx-trigger="load"' in page.text and "Check the server to see its tools" in text_of(page, "#tools")
    checked = admin.post(at("tool_server_check", server.pk), headers=HTMX)
    assert f"0 of {len(TOOLS)} allowed." in checked.text and "identifies as “drawer 2.1”" in checked.text
    for each in (page, checked, admin.get(at("tool_server_edit", server.pk)), admin.get(at("tools"))):
        assert KEY not in each.text


def test_a_check_without_script_leads_back_to_the_page(admin, server):
    assert admin.post(at("tool_server_check", server.pk))["Location"] == at("tool_server", server.pk)
    assert "Says it again." in admin.get(at("tool_server", server.pk)).text


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/forbidden", "Drawer denied access. HTTP 403."),
        ("/page", "The server at Drawer’s address did not respond like a tool server. It responded with text/html."),
        ("/moved", "It redirects to /mcp. Redirects are not followed."),
    ],
)
def test_a_failed_check_says_why_and_can_be_repeated(admin, drawer, server, path, told):
    ToolServer.objects.update(url=drawer.at(path))
    answer = admin.post(at("tool_server_check", server.pk), headers=HTMX)
    assert told in text_of(answer, ".notice-error") and "Try again" in answer.text
    assert "check failed" in admin.get(at("tools")).text


def test_a_servers_texts_are_escaped_and_shortened(admin, drawer, server):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>" + "long " * 400
    drawer.offer([{"name": "<b>bold</b>", "title": "<i>x</i>", "description": hostile, "inputSchema": schema()}])
    answer = admin.post(at("tool_server_check", server.pk), headers=HTMX)
    document = html.document_fromstring(answer.text)
    assert not document.xpath("//script | //b | //i | //img")
    assert words(document.cssselect(".tool-says")[0]).endswith("…") and len(answer.text) < 8000
    page = admin.get(at("tool", Tool.objects.get().pk))
    assert "<script>alert" not in page.text and "&lt;script&gt;alert" in page.text


def test_a_switch_allows_a_tool(admin, server, tool_named):
    tool = tool_named("echo", is_allowed=False)
    row = admin.post(at("tool_allowing", tool.pk), {"allowed": "on"}, headers=HTMX).text
    tool.refresh_from_db()
    assert tool.is_allowed and 'aria-checked="true"' in row and "1 of 1 allowed." in row
    answer = admin.post(at("tool_allowing", tool.pk), {"allowed": "off"})
    tool.refresh_from_db()
    assert (tool.is_allowed, answer["Location"]) == (False, f"{at('tool_server', server.pk)}#tool-{tool.pk}")


def test_a_tool_runs_at_once_or_asks_first(admin, tool_named):
    tool = tool_named("echo")
    row = admin.post(at("tool_asking", tool.pk), {"ask": "off"}, headers=HTMX).text
    tool.refresh_from_db()
    assert not tool.ask_first and "run at once" in row
    admin.post(at("tool_asking", tool.pk), {"ask": "on"})
    tool.refresh_from_db()
    assert tool.ask_first


def test_a_tool_can_be_limited_to_groups(admin, ada, ben, server, tool_named):
    editors = Group.objects.create(name="Editors")
    ada.groups.add(editors)
    tool = tool_named("echo")
    admin.post(at("tool", tool.pk), {"is_allowed": "on", "groups": [editors.pk]})
    assert "Editors" in text_of(admin.get(at("tool_server", server.pk)), f"#tool-{tool.pk}")
    assert list(Tool.objects.usable_by(ada)) == [tool] and not Tool.objects.usable_by(ben)
    tool.refresh_from_db()
    assert not tool.ask_first
    editors.delete()
    assert "nobody" in text_of(admin.get(at("tool_server", server.pk)), f"#tool-{tool.pk}")
    assert "The groups that could use this tool were deleted" in admin.get(at("tool", tool.pk)).text
    admin.post(at("tool", tool.pk), {"is_allowed": "on"})
    assert list(Tool.objects.usable_by(ben)) == [tool]


def test_a_tool_can_have_its_own_time_limit(admin, server, tool_named):
    tool = tool_named("slow")
    assert "Leave empty to use the setting of Drawer, 60." in text_of(
        admin.get(at("tool", tool.pk)), "form.provider-form"
    )
    admin.post(at("tool", tool.pk), {"is_allowed": "on", "call_timeout": "300"})
    assert (Tool.objects.get().timeout, server.build_endpoint().timeout) == (300, 60)
    assert admin.post(at("tool", tool.pk), {"call_timeout": "0"}).status_code == 422
    admin.post(at("tool", tool.pk), {"is_allowed": "on", "call_timeout": ""})
    ToolServer.objects.update(call_timeout=9)
    assert Tool.objects.get().timeout == 9


def test_every_option_can_be_cleared(admin, tool_named):
    tool = tool_named("echo")
    admin.post(at("tool", tool.pk), {})
    tool.refresh_from_db()
    assert (tool.is_allowed, tool.ask_first) == (False, False)


def test_an_unusable_tool_has_no_switch(admin, server, tool_named):
    tool_named("wrong", fault="The description of its input is not valid: strange", is_allowed=False)
    page = admin.get(at("tool_server", server.pk))
    assert "unusable" in page.text and "is not valid: strange" in page.text and 'role="switch"' not in page.text


def test_built_in_tools_are_on_the_first_page(admin):
    async def run(context, arguments):
        return ToolResult.from_text("noon")

    builtin.register(BuiltinTool("tell_time", "Clock", "Tells the time.", {"type": "object"}, run))
    try:
        assert "Tells the time." in admin.get(at("tools")).text
        tool = Tool.objects.get()
        answer = admin.post(at("tool_allowing", tool.pk), {"allowed": "on"})
        assert answer["Location"] == f"{at('tools')}#tool-{tool.pk}"
        row = admin.post(at("tool_asking", tool.pk), {"ask": "on"}, headers=HTMX)
        assert row.status_code == 200 and "tools-count" not in row.text
        assert admin.get(at("tool", tool.pk)).status_code == 200
    finally:
        builtin.unregister("tell_time")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "ftp://x/mcp"}, "url"),
        ({"url": "http://me:secret@x/mcp"}, "url"),
        ({"name": "drawer"}, "name"),
        ({"call_timeout": "0"}, "call_timeout"),
        ({"header_name_1": "X-Key"}, "header_value_1"),
        ({"header_value_1": "alone"}, "header_name_1"),
        ({"header_name_1": "X Key", "header_value_1": "v"}, "header_name_1"),
        ({"header_name_1": "Host", "header_value_1": "v"}, "header_name_1"),
        ({"header_name_1": "Mcp-Session-Id", "header_value_1": "v"}, "header_name_1"),
        ({"header_name_1": "X-Key", "header_value_1": "a\r\nX-Other: b"}, "header_value_1"),
        ({"header_name_1": "X-Key", "header_value_1": "Schlüssel"}, "header_value_1"),
        (
            {"header_name_0": "X-Key", "header_value_0": "v", "header_name_1": "x-key", "header_value_1": "w"},
            "header_name_1",
        ),
    ],
)
def test_an_invalid_value_is_refused_at_its_field(admin, server, changes, field):
    answer = admin.post(at("tool_server_add"), FIELDS | {"name": "Other", "url": server.url} | changes)
    assert answer.status_code == 422 and list(answer.context["form"].errors) == [field]
    assert ToolServer.objects.count() == 1


def test_a_stored_value_is_kept_replaced_or_removed(admin, server):
    server.set_header("X-Key", "one")
    server.set_header("X-Other", "two")
    server.save()
    fields = FIELDS | {
        "url": server.url,
        "header_name_0": "X-Key",
        "header_name_1": "X-Other",
        "header_value_1": "three",
    }
    admin.post(at("tool_server_edit", server.pk), fields)
    assert ToolServer.objects.get().build_endpoint().headers == {"X-Key": "one", "X-Other": "three"}
    admin.post(at("tool_server_edit", server.pk), FIELDS | {"url": server.url, "header_name_0": "X-Other"})
    assert ToolServer.objects.get().build_endpoint().headers == {"X-Other": "three"}


def test_stored_values_are_not_sent_to_another_server(admin, server):
    server.set_header("X-Key", "one")
    server.save()
    fields = FIELDS | {"url": "http://elsewhere.example/mcp", "header_name_0": "X-Key"}
    answer = admin.post(at("tool_server_edit", server.pk), fields)
    assert answer.status_code == 422 and "header_value_0" in answer.context["form"].errors
    assert ToolServer.objects.get().url == server.url
    admin.post(at("tool_server_edit", server.pk), fields | {"header_value_0": "two"})
    assert ToolServer.objects.get().build_endpoint().headers == {"X-Key": "two"}


def test_another_address_needs_a_new_check(admin, server):
    admin.post(at("tool_server_check", server.pk))
    admin.post(at("tool_server_edit", server.pk), FIELDS | {"name": "Cupboard", "url": server.url})
    assert ToolServer.objects.get().checked_at is not None
    admin.post(at("tool_server_edit", server.pk), FIELDS | {"url": server.url + "/"})
    server = ToolServer.objects.get()
    assert (server.checked_at, server.protocol_version) == (None, "") and server.url.endswith("/mcp/")


def test_a_server_is_disabled_and_deleted(admin, ada, server, tool_named):
    tool_named("echo")
    admin.post(at("tool_server_enabling", server.pk), {"enabled": "off"})
    assert not Tool.objects.usable_by(ada)
    assert "and its tool" in admin.get(at("tool_server_delete", server.pk)).text
    admin.post(at("tool_server_delete", server.pk))
    assert not ToolServer.objects.exists() and not Tool.objects.exists()


def test_unreadable_headers_are_shown_as_such(admin, server, settings):
    server.set_header("X-Key", "one")
    server.save()
    settings.SEALING_KEY = "another one"
    assert "unreadable" in admin.get(at("tools")).text
    page = admin.get(at("tool_server", server.pk))
    assert "sealed with another SEALING_KEY" in page.text
    answer = admin.post(at("tool_server_check", server.pk), headers=HTMX)
    assert "can no longer be read" in answer.text
