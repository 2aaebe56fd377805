"""Listing and calling the tools of a real MCP server in both versions of the protocol, with all its failures."""

import asyncio
import json
import logging
import subprocess
import sys

import pytest

from tests.tools.drawer import ROOT
from tests.tools.mcp_server import KEY, PIXEL, TOOLS
from tests.tools.reading import text_of
from tools.errors import (
    AccessDenied,
    AnswerTooLarge,
    CallRejected,
    NotAToolServer,
    TimedOut,
    ToolServerError,
    ToolServerFailed,
    ToolServerUnreachable,
)
from tools.limits import ToolLimits
from tools.mcp import client, farewells

AGES = ["2026-07-28", "2025-11-25"]


@pytest.fixture(params=AGES)
def endpoint(request, drawer):
    """The server's endpoint with a known version of the protocol."""
    return drawer.build_endpoint(protocol_version=request.param)


async def failure_of(call):
    with pytest.raises(ToolServerError) as caught:
        await call
    # A log of the failure would otherwise contain the request with its headers.
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    return caught.value


async def test_all_pages_of_tools_are_listed(endpoint):
    listing = await client.list_tools(endpoint)
    assert [tool.name for tool in listing.tools] == [tool["name"] for tool in TOOLS]
    echo = listing.tools[0]
    assert (echo.title, echo.description, echo.annotations) == ("Echo", "Says it again.", {"readOnlyHint": True})
    assert echo.input_schema["required"] == ["text"]
    assert (listing.protocol_version, listing.about) == (endpoint.protocol_version, "drawer 2.1")


async def test_an_unknown_server_is_asked_for_its_version(drawer):
    assert (await client.list_tools(drawer.build_endpoint())).protocol_version == AGES[0]


async def test_more_tools_than_the_limit_are_left_out(drawer):
    listing = await client.list_tools(drawer.build_endpoint(), limits=ToolLimits(tools=4))
    assert len(listing.tools) == 4 and listing.left_out > 0


async def test_a_tool_is_called(endpoint):
    result = await client.call_tool(endpoint, "echo", {"text": "Grüße \u2028 & <b>"})
    assert result.content == [{"type": "text", "text": "Grüße \u2028 & <b>"}]
    assert not result.is_error and not result.failure


async def test_calls_run_in_parallel_and_are_not_mixed_up(endpoint):
    results = await asyncio.gather(*(client.call_tool(endpoint, "echo", {"text": str(n)}) for n in range(12)))
    assert [text_of(result) for result in results] == [str(n) for n in range(12)]


async def test_a_failing_tools_result_is_an_error(endpoint):
    result = await client.call_tool(endpoint, "failing", {})
    assert (text_of(result), result.is_error, result.failure) == ("The disk is full.", True, "")


async def test_images_come_as_image_blocks(endpoint):
    result = await client.call_tool(endpoint, "picture", {})
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    assert result.content == [{"type": "image", "source": source}]


async def test_a_false_image_is_left_out(endpoint):
    [block] = (await client.call_tool(endpoint, "false-picture", {})).content
    assert block == {"type": "text", "text": "[An image was left out: it is not a PNG, JPEG, GIF or WebP file.]"}


async def test_all_kinds_of_content_arrive_or_are_described(endpoint):
    *texts, image = (await client.call_tool(endpoint, "mixed", {})).content
    assert [block["text"] for block in texts] == [
        "First",
        "[file:///notes.txt]\nNotes",
        "[A file that cannot be shown here: application/zip, file:///a.zip]",
        "[A link that cannot be shown here: Report, https://example.org/report]",
        "[Content of type “audio” that cannot be shown here: audio/wav]",
    ]
    # The type comes from the bytes, not from the server.
    assert image["source"]["media_type"] == "image/png"


async def test_structured_content_alone_becomes_json(endpoint):
    assert json.loads(text_of(await client.call_tool(endpoint, "figures", {}))) == {"degrees": 21}


async def test_an_empty_result_becomes_a_note(endpoint):
    assert text_of(await client.call_tool(endpoint, "nothing", {})) == "The tool returned nothing."


async def test_long_text_is_cut_with_a_note(endpoint):
    text = text_of(await client.call_tool(endpoint, "huge", {"characters": 300_000}))
    assert text.startswith("x" * 262_144 + "\n\n[The result was cut here: it has 300,000 bytes")


async def test_an_oversized_answer_is_a_failure(endpoint):
    assert isinstance(await failure_of(client.call_tool(endpoint, "huge", {"characters": 17 * 2**20})), AnswerTooLarge)


async def test_an_endless_answer_is_a_failure(drawer):
    assert isinstance(await failure_of(client.list_tools(drawer.build_endpoint("/endless"))), AnswerTooLarge)


async def test_a_protocol_error_has_the_servers_words(endpoint):
    failure = await failure_of(client.call_tool(endpoint, "raising", {}))
    assert isinstance(failure, CallRejected) and failure.detail == "No such drawer."


async def test_a_tool_cannot_ask_a_person_for_input(drawer):
    failure = await failure_of(client.call_tool(drawer.build_endpoint(), "asking", {}))
    assert isinstance(failure, CallRejected) and "asks for input from a person" in str(failure)


@pytest.mark.parametrize("age", ["", *AGES])
@pytest.mark.parametrize(
    ("path", "kind", "detail"),
    [
        ("/guarded", AccessDenied, "HTTP 401."),
        ("/forbidden", AccessDenied, "HTTP 403."),
        ("/moved", NotAToolServer, "It redirects to /mcp. Redirects are not followed."),
        ("/page", NotAToolServer, "It responded with text/html."),
        ("/json", NotAToolServer, ""),
        ("/nowhere", NotAToolServer, "HTTP 404."),
        ("/broken", ToolServerFailed, "HTTP 500."),
    ],
)
async def test_another_kind_of_server_is_named(drawer, path, kind, detail, age):
    failure = await failure_of(client.list_tools(drawer.build_endpoint(path, protocol_version=age)))
    assert (type(failure), failure.detail) == (kind, detail)


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("http://127.0.0.1:9/mcp", "No server responds at its address."),
        ("http://tools.invalid/mcp", "Its host name could not be resolved."),
    ],
)
async def test_an_unreachable_server_is_named(drawer, url, detail):
    failure = await failure_of(client.call_tool(drawer.build_endpoint(url=url), "echo", {}))
    assert isinstance(failure, ToolServerUnreachable) and failure.detail == detail


async def test_a_server_without_tls_is_named(drawer):
    failure = await failure_of(client.list_tools(drawer.build_endpoint(url=drawer.url.replace("http:", "https:"))))
    assert isinstance(failure, ToolServerUnreachable) and "secure connection failed" in failure.detail


async def test_a_silent_listing_ends_at_the_time_limit(drawer):
    assert isinstance(
        await failure_of(client.list_tools(drawer.build_endpoint("/silent"), limits=ToolLimits(listing=0.2))), TimedOut
    )


async def test_a_slow_call_ends_at_the_time_limit_of_its_server(drawer):
    endpoint = drawer.build_endpoint(timeout=0.5)
    assert isinstance(await failure_of(client.call_tool(endpoint, "slow", {"name": "late"})), TimedOut)
    await drawer.saw("cancelled", "late")


async def test_a_cancelled_call_ends_on_the_server_too(drawer, endpoint):
    name = f"stopped-{endpoint.protocol_version}"
    call = asyncio.create_task(client.call_tool(endpoint, "slow", {"name": name}))
    await drawer.saw("began", name)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert call.cancelled()
    await drawer.saw("cancelled", name)


async def test_cancelling_one_call_leaves_others_running(drawer, endpoint):
    names = [f"{side}-{endpoint.protocol_version}" for side in ("left", "right")]
    left, right = (asyncio.create_task(client.call_tool(endpoint, "slow", {"name": name})) for name in names)
    for name in names:
        await drawer.saw("began", name)
    left.cancel()
    await asyncio.wait([left])
    await asyncio.to_thread(drawer.end, names[1])
    assert left.cancelled() and text_of(await right) == f"{names[1]} is done"


async def test_a_call_in_a_timeout_and_a_group_ends_like_any_task(drawer, endpoint):
    name = f"grouped-{endpoint.protocol_version}"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
            group.create_task(client.call_tool(endpoint, "slow", {"name": name}))
            await drawer.saw("began", name)
            limit.reschedule(0)
            await asyncio.Event().wait()
    await drawer.saw("cancelled", name)


async def test_a_server_with_sessions_is_asked_to_end_them(drawer):
    before = drawer.seen().count(["farewell", ""])
    await client.call_tool(drawer.build_endpoint(protocol_version=AGES[1]), "echo", {"text": "x"})
    await farewells.wait()
    assert drawer.seen().count(["farewell", ""]) == before + 1


async def test_headers_give_access(drawer):
    endpoint = drawer.build_endpoint("/guarded", headers={"X-Key": KEY, "User-Agent": "another"})
    headers = json.loads(text_of(await client.call_tool(endpoint, "headers", {})))
    assert (headers["x-key"], headers["user-agent"], headers["accept-encoding"]) == (KEY, "chatsite", "identity")


@pytest.mark.parametrize("path", ["/guarded", "/forbidden", "/nowhere"])
async def test_headers_are_never_logged(drawer, caplog, path):
    for name in ("", "mcp", "client", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, name)
    endpoint = drawer.build_endpoint(path, headers={"X-Key": KEY})
    if path == "/guarded":
        await client.call_tool(endpoint, "echo", {"text": "x"})
    else:
        await failure_of(client.call_tool(endpoint, "echo", {"text": "x"}))
    assert caplog.records and KEY not in caplog.text and KEY not in repr(endpoint)


async def test_proxies_of_the_environment_are_ignored(drawer, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert text_of(await client.call_tool(drawer.build_endpoint(), "echo", {"text": "direct"})) == "direct"


def test_the_sdk_is_imported_on_first_use_only():
    code = (
        "import sys, chatsite.asgi, tools.calls, tools.catalogue, tools.urls;"
        "print(sorted({'mcp', 'pydantic', 'jsonschema', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
