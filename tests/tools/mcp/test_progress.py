"""Progress that a server reports extends the time of a call, up to a limit."""

import asyncio

import pytest

from tests.tools.mcp.wire_server import wire_server
from tests.tools.reading import text_of
from tools.errors import TimedOut
from tools.limits import ToolLimits
from tools.mcp import client
from tools.mcp.progress import describe_progress, ignore_progress

TIME = 0.4
"""Seconds of a call without progress."""


@pytest.fixture(params=["2025-03-26", "2025-06-18", "2025-11-25"])
async def server(request):
    async with wire_server(request.param) as server:
        yield server


async def begin(server, on_progress=ignore_progress, **limits):
    """Returns a running call, how the server received it, and its progress token."""
    endpoint = server.build_endpoint(timeout=TIME)
    running = client.call_tool(endpoint, "slow", {}, on_progress, limits=ToolLimits(**limits))
    call = asyncio.create_task(running)
    received = await server.until("tools/call")
    return call, received, received.message["params"]["_meta"]["progressToken"]


async def report_until(call, report):
    """Reports progress well within the time limit until the call has ended. Returns how often."""
    for count in range(200):
        report(count)
        if (await asyncio.wait([call], timeout=TIME / 4))[0]:
            return count
    raise AssertionError("The call did not end.")


async def test_progress_extends_the_time_of_a_call(server):
    call, received, token = await begin(server)

    def report(count):
        server.progress(token, count, total=12) if count < 12 else server.end(received)

    # Twelve quarters of its time: three times as long as it may take without progress.
    await report_until(call, report)
    assert text_of(await call) == "done"


async def test_progress_does_not_extend_it_beyond_the_longest_call(server):
    call, received, token = await begin(server, longest_call=1)
    count = await report_until(call, lambda count: server.progress(token, count))
    with pytest.raises(TimedOut):
        await call
    assert count > 4
    cancelled = await server.until("notifications/cancelled")
    assert cancelled.message["params"]["requestId"] == received.message["id"]


async def test_a_limit_that_is_longer_than_the_longest_call_is_kept(server):
    call, received, token = await begin(server, longest_call=0)
    server.progress(token, 1)
    server.end(received)
    assert text_of(await call) == "done"


async def test_a_call_without_further_progress_ends_at_its_limit(server):
    call, _, token = await begin(server)
    server.progress(token, 1)
    with pytest.raises(TimedOut):
        await call


@pytest.mark.parametrize("other", ["another", 4711, None, True, 1.5, [], {}])
async def test_progress_of_something_else_extends_nothing(server, other):
    heard = []
    call, _, _ = await begin(server, heard.append)
    count = await report_until(call, lambda count: server.progress(other, count))
    with pytest.raises(TimedOut):
        await call
    assert count <= 6 and not heard


@pytest.mark.parametrize("progress", ["half", None, True, []])
async def test_progress_that_is_not_a_number_does_not_end_the_call(server, progress):
    heard = []
    call, received, token = await begin(server, heard.append)
    server.progress(token, progress)
    server.progress(token, 1, message="one")
    server.end(received)
    assert text_of(await call) == "done"
    assert heard == ["one"]


async def test_progress_is_described(server):
    heard = []
    call, received, token = await begin(server, heard.append)
    server.progress(token, 1, total=4, message="Reading pages")
    server.progress(token, 2.5, total=4, message=7)
    server.end(received)
    await call
    assert heard == ["Reading pages, 25%", "62%"]


async def test_a_listener_that_fails_does_not_end_the_call(server):
    def fail(words):
        raise RuntimeError("The page is gone.")

    call, received, token = await begin(server, fail)
    server.progress(token, 1)
    server.end(received)
    assert text_of(await call) == "done"


@pytest.mark.parametrize(
    ("progress", "total", "message", "words"),
    [
        (3, None, None, ""),
        (3, None, "Step 3", "Step 3"),
        (3, 4, "", "75%"),
        (5, 4, None, "100%"),
        (-1, 4, None, "0%"),
        (3, 0, None, ""),
        (3, -4, None, "0%"),
        (float("inf"), 4, None, ""),
        (float("nan"), 4, "x", "x"),
        (1, float("inf"), None, "0%"),
        (1e308, 1e-308, None, ""),
        (1, None, "two\nlines \0 and \ud83d", "two lines \ufffd and ?"),
        (1, None, "x" * 300, "x" * 199 + "…"),
    ],
)
def test_words_for_progress(progress, total, message, words):
    assert describe_progress(progress, total, message) == words
