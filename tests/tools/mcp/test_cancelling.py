"""What a server receives when a call ends early."""

import asyncio

import pytest

from tests.tools.mcp.wire_server import wire_server
from tests.tools.reading import text_of
from tools.errors import AccessDenied, AnswerTooLarge, TimedOut, ToolServerUnreachable
from tools.mcp import client, farewells

CANCELLED = "notifications/cancelled"


@pytest.fixture(params=["2025-03-26", "2025-06-18", "2025-11-25"])
def version(request):
    return request.param


@pytest.fixture(params=["", "session-1"], ids=["stateless", "session"])
async def server(request, version):
    async with wire_server(version, request.param) as server:
        yield server


async def stop(call):
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()


async def begin(server, **changes):
    """Returns a running call, and how the server received it."""
    call = asyncio.create_task(client.call_tool(server.build_endpoint(**changes), "slow", {}))
    return call, await server.until("tools/call")


async def test_a_stopped_call_is_cancelled_by_its_id(server, version):
    call, received = await begin(server, headers={"X-Key": "opens"})
    await stop(call)
    cancelled = await server.until(CANCELLED)
    assert cancelled.message["params"]["requestId"] == received.message["id"]
    assert "id" not in cancelled.message
    assert cancelled.headers["mcp-protocol-version"] == version
    assert cancelled.headers.get("mcp-session-id", "") == server.session
    assert (cancelled.headers["x-key"], cancelled.headers["content-type"]) == ("opens", "application/json")


async def test_a_call_that_takes_too_long_is_cancelled(server):
    call, received = await begin(server, timeout=0.3)
    with pytest.raises(TimedOut):
        await call
    assert (await server.until(CANCELLED)).message["params"]["requestId"] == received.message["id"]


async def test_the_session_ends_after_the_cancellation(server):
    call, _ = await begin(server)
    await stop(call)
    await farewells.wait()
    expected = [CANCELLED, "DELETE"] if server.session else [CANCELLED]
    assert server.methods[server.methods.index("tools/call") + 1 :] == expected


async def test_a_call_that_ended_is_not_cancelled(server):
    call, received = await begin(server)
    server.end(received)
    assert text_of(await call) == "done"
    await farewells.wait()
    assert CANCELLED not in server.methods


async def test_a_call_that_the_server_refused_is_not_cancelled(server):
    server.call_status = 403
    call, _ = await begin(server)
    with pytest.raises(AccessDenied):
        await call
    await farewells.wait()
    assert CANCELLED not in server.methods


async def test_a_call_whose_answer_is_too_large_is_cancelled(server):
    call, received = await begin(server)
    server.end(received, "x" * 17 * 2**20)
    with pytest.raises(AnswerTooLarge):
        await call
    await server.until(CANCELLED)


async def test_a_server_that_has_gone_does_not_hold_up_the_stop(version):
    async with wire_server(version) as server:
        call, _ = await begin(server)
    with pytest.raises(ToolServerUnreachable):
        await call
    await farewells.wait()


async def test_many_stopped_calls_are_each_cancelled(server):
    calls = [asyncio.create_task(client.call_tool(server.build_endpoint(), "slow", {})) for _ in range(8)]
    await server.until("tools/call", len(calls))
    await asyncio.gather(*(stop(call) for call in calls))
    await farewells.wait()
    assert server.methods.count(CANCELLED) == len(calls)
