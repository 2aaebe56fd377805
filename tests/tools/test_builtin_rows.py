"""The built-in tools have rows from the start, however the site is served."""

import pytest
from django.core.management import call_command

from tests.tools.mcp_server import schema
from tools import builtin
from tools.builtin import BuiltinTool
from tools.models import Tool
from tools.results import ToolResult

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock():
    async def run(context, arguments):
        return ToolResult.from_text("noon")

    return builtin.register(BuiltinTool("tell_time", "Clock", "Tells the time.", schema(), run, allowed=True))


def test_built_in_tools_have_rows_after_a_migration(clock, ada):
    call_command("migrate", verbosity=0)
    assert [tool.name for tool in Tool.objects.usable_by(ada)] == ["tell_time"]


def test_decisions_about_one_outlive_another_migration(clock):
    call_command("migrate", verbosity=0)
    Tool.objects.update(is_allowed=False)
    call_command("migrate", verbosity=0)
    assert not Tool.objects.get().is_allowed
