"""Calls for a model. Every failure becomes a result."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from tests.tools.mcp_server import schema
from tests.tools.reading import text_of
from tools import builtin
from tools.builtin import BuiltinTool, CallContext
from tools.calls import run_call
from tools.catalogue import sync_builtin_tools
from tools.models import Tool
from tools.results import ToolResult

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def context(ada):
    return CallContext(user=ada, conversation_pk=7)


@pytest.fixture
def tool_of(tool_named):
    """`await tool_of("echo")` creates a tool of the server."""
    return sync_to_async(tool_named)


@pytest.fixture
def built_in():
    """`await built_in(run)` registers a tool that calls `run`, and returns its row."""
    made = []

    def with_row(run, **changes):
        tool = builtin.register(BuiltinTool("tell_name", "Names", "Tells a name.", schema(), run, allowed=True))
        made.append(tool.name)
        sync_builtin_tools()
        return Tool.objects.get(name=tool.name)

    yield sync_to_async(with_row)
    for name in made:
        builtin.unregister(name)


async def tell_name(context, arguments):
    return ToolResult.from_text(f"{context.user} in {context.conversation_pk}")


async def test_a_servers_tool_is_called(ada, tool_of, context):
    await tool_of("echo")
    [tool] = [tool async for tool in Tool.objects.usable_by(ada)]
    assert await run_call(tool, {"text": "hello"}, context) == ToolResult([{"type": "text", "text": "hello"}])


async def test_invalid_arguments_do_not_reach_the_server(tool_of, context):
    result = await run_call(
        await tool_of("nowhere", input_schema=schema(text={"type": "string"})), {"text": 3}, context
    )
    assert (result.is_error, result.failure) == (True, "invalid_arguments")
    assert text_of(result) == "The arguments do not match the tool's input schema:\ntext: 3 is not of type 'string'"


async def test_the_model_reads_a_servers_failure_without_advice_for_administrators(drawer, server, tool_of, context):
    server.url = drawer.at("/guarded")
    result = await run_call(await tool_of("echo"), {"text": "x"}, context)
    assert (text_of(result), result.is_error, result.failure) == (
        "Drawer denied access. HTTP 401.",
        True,
        "refused",
    )


async def test_people_read_no_address_in_a_servers_failure(drawer, server, tool_of, context):
    server.url = drawer.at("/moved")
    result = await run_call(await tool_of("echo"), {"text": "x"}, context)
    assert "It redirects to …. Redirects are not followed." in text_of(result)


async def test_a_rejected_call_has_the_servers_words(tool_of, context):
    result = await run_call(await tool_of("raising"), {}, context)
    assert (text_of(result), result.failure) == ("Drawer rejected the request. No such drawer.", "call_refused")


async def test_calls_run_in_parallel_and_can_be_cancelled(drawer, tool_of, context):
    slow, echo = await tool_of("slow"), await tool_of("echo")
    waiting = asyncio.create_task(run_call(slow, {"name": "beside"}, context))
    await drawer.saw("began", "beside")
    assert text_of(await run_call(echo, {"text": "quick"}, context)) == "quick"
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_built_in_tool_runs_for_the_person_who_asked(built_in, context):
    tool = await built_in(tell_name)
    assert text_of(await run_call(tool, {}, context)) == "Ada Lovelace in 7"


async def test_a_failing_built_in_tool_reveals_no_details(built_in, context, caplog):
    async def run(context, arguments):
        raise RuntimeError("the secret path /srv")

    tool = await built_in(run)
    result = await run_call(tool, {}, context)
    assert (text_of(result), result.failure) == ("Names failed because of an internal error.", "failed")
    assert "tell_name failed" in caplog.text


async def test_a_built_in_tool_ends_at_the_time_limit(built_in, context, settings):
    settings.TOOL_CALL_TIMEOUT = 0.05

    async def run(context, arguments):
        await asyncio.Event().wait()

    tool = await built_in(run)
    assert (await run_call(tool, {}, context)).failure == "timed_out"


async def test_a_tool_can_have_a_shorter_time_limit_than_its_server(tool_of, context):
    tool = await tool_of("slow")
    tool.call_timeout = 0.2
    assert (await run_call(tool, {"name": "late"}, context)).failure == "timed_out"


async def test_calling_a_removed_built_in_tool_is_an_error(built_in, context):
    tool = await built_in(tell_name)
    builtin.unregister("tell_name")
    assert (await run_call(tool, {}, context)).failure == "gone"
