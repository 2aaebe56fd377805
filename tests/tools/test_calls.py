"""A call for a model: whatever happens comes back as a result."""

import asyncio

import pytest
from asgiref.sync import sync_to_async

from tests.tools.mcp_server import schema
from tools import builtin
from tools.builtin import BuiltinTool, CallContext
from tools.calls import call
from tools.listing import keep_builtin
from tools.models import Tool
from tools.results import ToolResult

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def context(ada):
    return CallContext(user=ada, conversation_pk=7)


@pytest.fixture
def tool_of(tool_named):
    """`await tool_of("echo")` is one of the server's."""
    return sync_to_async(tool_named)


@pytest.fixture
def built_in():
    """`await built_in(run)` registers a tool that runs it, with a row."""
    made = []

    def with_row(run, **changes):
        tool = builtin.register(BuiltinTool("tell_name", "Names", "Tells a name.", schema(), run, allowed=True))
        made.append(tool.name)
        keep_builtin()
        return Tool.objects.get(name=tool.name)

    yield sync_to_async(with_row)
    for name in made:
        builtin.unregister(name)


async def tell_name(context, arguments):
    return ToolResult.text(f"{context.user} in {context.conversation_pk}")


async def test_a_servers_tool_is_called(ada, tool_of, context):
    await tool_of("echo")
    [tool] = [tool async for tool in Tool.objects.usable_by(ada)]
    assert await call(tool, {"text": "hello"}, context) == ToolResult([{"type": "text", "text": "hello"}])


async def test_arguments_that_do_not_fit_reach_no_server(tool_of, context):
    result = await call(await tool_of("nowhere", input_schema=schema(text={"type": "string"})), {"text": 3}, context)
    assert (result.is_error, result.failure) == (True, "invalid_arguments")
    assert result.as_text == "The arguments do not fit this tool:\ntext: 3 is not of type 'string'"


async def test_a_servers_failure_is_told_to_the_model_without_advice_for_administrators(
    drawer, server, tool_of, context
):
    server.url = drawer.at("/guarded")
    result = await call(await tool_of("echo"), {"text": "x"}, context)
    assert (result.as_text, result.is_error, result.failure) == ("Drawer did not let us in. HTTP 401.", True, "refused")


async def test_a_call_the_server_refuses_is_told_in_its_words(tool_of, context):
    result = await call(await tool_of("raising"), {}, context)
    assert (result.as_text, result.failure) == ("Drawer refused the request. No such drawer.", "call_refused")


async def test_calls_run_beside_each_other_and_stop_by_being_cancelled(drawer, tool_of, context):
    slow, echo = await tool_of("slow"), await tool_of("echo")
    waiting = asyncio.create_task(call(slow, {"name": "beside"}, context))
    await drawer.saw("began", "beside")
    assert (await call(echo, {"text": "quick"}, context)).as_text == "quick"
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_built_in_tool_runs_for_the_person_who_asked(built_in, context):
    tool = await built_in(tell_name)
    assert (await call(tool, {}, context)).as_text == "Ada Lovelace in 7"


async def test_a_built_in_tool_that_fails_says_nothing_of_what_failed(built_in, context, caplog):
    async def run(context, arguments):
        raise RuntimeError("the secret path /srv")

    tool = await built_in(run)
    result = await call(tool, {}, context)
    assert (result.as_text, result.failure) == ("Names failed, by a fault of this site.", "failed")
    assert "tell_name failed" in caplog.text


async def test_a_built_in_tool_ends_with_the_time(built_in, context, settings):
    settings.TOOL_CALL_TIMEOUT = 0.05

    async def run(context, arguments):
        await asyncio.Event().wait()

    tool = await built_in(run)
    assert (await call(tool, {}, context)).failure == "timed_out"


async def test_a_tool_may_have_less_time_than_its_server(tool_of, context):
    tool = await tool_of("slow")
    tool.call_timeout = 0.2
    assert (await call(tool, {"name": "late"}, context)).failure == "timed_out"


async def test_a_built_in_tool_that_is_no_more_is_told(built_in, context):
    tool = await built_in(tell_name)
    builtin.unregister("tell_name")
    assert (await call(tool, {}, context)).failure == "gone"
