"""A real MCP server on loopback. `python -m tests.tools.mcp_server` runs it in its own process and prints its port.

It speaks the protocol at /mcp. Other paths respond with something else, /seen returns a record of calls, and
POST /tools replaces its tools.
"""

import asyncio
import json
import socket
from typing import Any

import mcp_types as types
import uvicorn
from mcp import MCPError
from mcp.server.lowlevel import Server
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
KEY = "a key that only the door knows"
PAGE = 3


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


TEXT = {"type": "string"}
TOOLS: list[dict[str, Any]] = [
    {
        "name": "echo",
        "title": "Echo",
        "description": "Says it again.",
        "inputSchema": schema(text=TEXT),
        "annotations": {"readOnlyHint": True},
    },
    {"name": "slow", "description": "Waits until the test ends it.", "inputSchema": schema(name=TEXT)},
    {"name": "gradual", "description": "Reports progress until the test ends it.", "inputSchema": schema(name=TEXT)},
    {"name": "failing", "description": "Fails, and says so.", "inputSchema": schema()},
    {"name": "raising", "description": "Answers with a protocol error.", "inputSchema": schema()},
    {"name": "picture", "description": "Draws a pixel.", "inputSchema": schema()},
    {"name": "false-picture", "description": "Sends text as an image.", "inputSchema": schema()},
    {"name": "mixed", "description": "Sends all kinds of content.", "inputSchema": schema()},
    {"name": "figures", "description": "Sends structured content alone.", "inputSchema": schema()},
    {"name": "nothing", "description": "Sends no content.", "inputSchema": schema()},
    {"name": "huge", "description": "Sends much.", "inputSchema": schema(characters={"type": "integer"})},
    {"name": "asking", "description": "Wants input from a person.", "inputSchema": schema()},
    {"name": "headers", "description": "Tells which headers came.", "inputSchema": schema()},
    {"name": "wrong-schema", "description": "Cannot be described.", "inputSchema": schema(x={"type": "strange"})},
    {"name": "tool with a näme that no model takes", "description": "Odd.", "inputSchema": schema()},
]


class State:
    def __init__(self) -> None:
        self.tools = TOOLS
        self.entries: list[Any] = []
        """The entries that /careless lists. They need not be valid tools."""
        self.seen: list[list[str]] = []
        self.saw = asyncio.Condition()
        self.telling: list[asyncio.Task[None]] = []
        self.may_end: dict[str, asyncio.Event] = {}

    def event(self, name: str) -> asyncio.Event:
        return self.may_end.setdefault(name, asyncio.Event())

    async def see(self, what: str, name: str = "") -> None:
        async with self.saw:
            self.seen.append([what, name])
            self.saw.notify_all()

    async def until_seen(self, what: str, name: str) -> None:
        async with self.saw:
            await self.saw.wait_for(lambda: [what, name] in self.seen)


state = State()


async def list_tools(context: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    start = int(params.cursor or 0) if params else 0
    page = [types.Tool.model_validate(tool) for tool in state.tools[start : start + PAGE]]
    following = str(start + PAGE) if start + PAGE < len(state.tools) else None
    return types.ListToolsResult(tools=page, next_cursor=following)


def text(words: str, **kwargs: Any) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=words)], **kwargs)


def image(data: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.ImageContent(type="image", data=data, mime_type="image/png")])


async def call_tool(context: Any, params: types.CallToolRequestParams) -> Any:
    arguments = params.arguments or {}
    match params.name:
        case "echo":
            return text(arguments["text"])
        case "slow":
            return await slow(arguments["name"])
        case "gradual":
            await context.session.report_progress(1, 4, "Reading <pages>")
            return await slow(arguments["name"])
        case "failing":
            return text("The disk is full.", is_error=True)
        case "raising":
            raise MCPError(code=-32602, message="No such drawer.")
        case "picture":
            return image(PIXEL)
        case "false-picture":
            return image("PHN2Zz48c2NyaXB0PmFsZXJ0KDEpPC9zY3JpcHQ+PC9zdmc+")
        case "mixed":
            return mixed()
        case "figures":
            return types.CallToolResult(content=[], structured_content={"degrees": 21})
        case "nothing":
            return types.CallToolResult(content=[])
        case "huge":
            return text("x" * arguments["characters"])
        case "asking":
            return types.InputRequiredResult(input_requests={}, request_state="later")
        case "headers":
            return text(json.dumps(dict(context.request.headers)))
    raise MCPError(code=-32602, message=f"Unknown tool: {params.name}")


async def slow(name: str) -> types.CallToolResult:
    await state.see("began", name)
    try:
        await state.event(name).wait()
    except asyncio.CancelledError:
        state.telling.append(asyncio.create_task(state.see("cancelled", name)))
        raise
    return text(f"{name} is done")


def mixed() -> types.CallToolResult:
    return types.CallToolResult.model_validate(
        {
            "content": [
                {"type": "text", "text": "First"},
                {
                    "type": "resource",
                    "resource": {"uri": "file:///notes.txt", "mimeType": "text/plain", "text": "Notes"},
                },
                {
                    "type": "resource",
                    "resource": {"uri": "file:///a.zip", "mimeType": "application/zip", "blob": "UEs="},
                },
                {"type": "resource_link", "name": "Report", "uri": "https://example.org/report"},
                {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"},
                {"type": "image", "data": PIXEL, "mimeType": "image/jpeg"},
            ]
        }
    )


async def elsewhere(request: Request) -> Response | None:
    """The paths that do not speak the protocol."""
    match request.url.path:
        case "/seen":
            return JSONResponse(state.seen)
        case "/until":
            await state.until_seen(request.query_params["what"], request.query_params["name"])
            return JSONResponse({})
        case "/tools":
            state.tools = (await request.json()) or TOOLS
            return JSONResponse({})
        case "/entries":
            state.entries = await request.json()
            return JSONResponse({})
        case "/end":
            state.event(request.query_params["name"]).set()
            return JSONResponse({})
        case "/guarded" if request.headers.get("x-key") != KEY:
            return Response("Who are you?", 401)
        case "/forbidden":
            return Response("No.", 403)
        case "/moved":
            return RedirectResponse("/mcp", 307)
        case "/page":
            return HTMLResponse("<h1>Welcome</h1>")
        case "/json":
            return JSONResponse({"hello": "world"})
        case "/broken":
            return Response("Oops", 500)
        case "/endless":
            return StreamingResponse(endless(), media_type="application/json")
        case "/silent":
            await asyncio.Event().wait()
        case path if path not in ("/mcp", "/guarded", "/careless"):
            return Response("Not found", 404)
    return None


async def endless() -> Any:
    while True:
        yield b" " * 65536
        await asyncio.sleep(0)


def carelessly(send: Send) -> Send:
    """Works like the real server, but lists whatever is in `entries`, which the SDK would not allow."""
    started: list[Any] = []

    async def say(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [header for header in message["headers"] if header[0] != b"content-length"]
            started.append(message)
            return
        lines = [listed(line) for line in message.get("body", b"").decode().split("\n")]
        while started:
            await send(started.pop())
        await send({**message, "body": "\n".join(lines).encode()})

    return say


def listed(line: str) -> str:
    head, brace, rest = line.partition("{")
    if '"tools":[' not in rest:
        return line
    message = json.loads(brace + rest)
    message["result"]["tools"] = state.entries
    message["result"].pop("nextCursor", None)
    return head + json.dumps(message)


def application() -> Any:
    server: Server[Any] = Server("drawer", version="2.1", on_list_tools=list_tools, on_call_tool=call_tool)
    protocol = server.streamable_http_app(streamable_http_path="/mcp")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            if request.method == "DELETE":
                await state.see("farewell")
            if answer := await elsewhere(request):
                await answer(scope, receive, send)
                return
            if request.url.path == "/careless":
                send = carelessly(send)
            scope = scope | {"path": "/mcp", "raw_path": b"/mcp"}
        await protocol(scope, receive, send)

    return app


def main() -> None:
    # Names the protocol, because asyncio otherwise leaves Nagle's algorithm on.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(application(), log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
