"""An MCP server without an SDK: it records every message, and the test writes what it sends during a call."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tools.mcp.endpoint import ToolEndpoint

PATIENCE = 30.0


@dataclass(frozen=True)
class Received:
    """A request: the JSON-RPC method of its message or, without a message, its HTTP method."""

    method: str
    message: dict[str, Any]
    headers: dict[str, str]


class WireServer:
    def __init__(self, version: str, url: str, session: str) -> None:
        self.version, self.url, self.session = version, url, session
        self.received: list[Received] = []
        self.call_status = 200
        self._changed = asyncio.Condition()
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def build_endpoint(self, **changes: Any) -> ToolEndpoint:
        fields = {"name": "Wire", "url": self.url, "timeout": PATIENCE, "protocol_version": self.version}
        return ToolEndpoint(**{**fields, **changes})

    @property
    def methods(self) -> list[str]:
        return [received.method for received in self.received]

    async def until(self, method: str, count: int = 1) -> Received:
        """Returns the first request with this method, as soon as `count` of them have arrived."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self.methods.count(method) >= count)
        return next(received for received in self.received if received.method == method)

    def progress(self, token: Any, progress: float, **fields: Any) -> None:
        """Sends progress to the running call."""
        params = {"progressToken": token, "progress": progress, **fields}
        self._sent.put_nowait({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})

    def end(self, call: Received, text: str = "done") -> None:
        """Sends the running call its result."""
        result = {"content": [{"type": "text", "text": text}]}
        self._sent.put_nowait({"jsonrpc": "2.0", "id": call.message["id"], "result": result})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        message = json.loads(await request.body() or b"{}")
        async with self._changed:
            method = message.get("method", request.method)
            self.received.append(Received(method, message, dict(request.headers)))
            self._changed.notify_all()
        await self._respond(message)(scope, receive, send)

    def _respond(self, message: dict[str, Any]) -> Response:
        headers = {"mcp-session-id": self.session} if self.session else {}
        match message.get("method"):
            case "initialize":
                result = {
                    "protocolVersion": self.version,
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "wire", "version": "1"},
                }
                return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": result}, headers=headers)
            case "tools/call" if self.call_status != 200:
                return Response("No.", self.call_status)
            case "tools/call":
                return StreamingResponse(self._stream(), media_type="text/event-stream")
        return Response(status_code=202)

    async def _stream(self) -> AsyncIterator[str]:
        while True:
            message = await self._sent.get()
            yield f"event: message\ndata: {json.dumps(message)}\n\n"
            if "id" in message:
                return


@asynccontextmanager
async def wire_server(version: str, session: str = "") -> AsyncIterator[WireServer]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = WireServer(version, f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", session)
        http = uvicorn.Server(uvicorn.Config(server, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(http.serve([listener]))
        try:
            yield server
        finally:
            http.should_exit = True
            await serving
