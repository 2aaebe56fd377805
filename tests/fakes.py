"""A model server for tests: real HTTP on loopback, in its own thread, with scripted answers."""

import asyncio
import json
import socket
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from tests.steps import Abort, Answer, Gate, Hang, Pause, Step
from tests.wires import is_text, reply_wire
from upstreams.endpoint import Endpoint, ProtocolName

PATIENCE = 10.0
"""Seconds after which a test stops waiting for the server and fails."""


@dataclass(frozen=True)
class Request:
    """A request as the server received it. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    """The number of its connection, counted from 1."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Reader(asyncio.StreamReader):
    """A stream reader that knows when the client has disconnected without having to read from it."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()

    def set_exception(self, exc: Any) -> None:
        super().set_exception(exc)
        self.ended.set()


class ModelServer:
    """Speaks one protocol. Each request for a reply takes the next answer. The last answer repeats.

            with ModelServer("openai") as server:
                server.say("Hel", "lo")
                ... stream_reply(server.build_endpoint(), …)
                assert server.requests[-1].json["model"] == …

    After `hold()`, every piece of text waits for a `step()` until `release()`.
    """

    def __init__(self, protocol: ProtocolName | str = ProtocolName.ANTHROPIC) -> None:
        self.protocol = ProtocolName(protocol)
        self.requests: list[Request] = []
        self.count: int | None = None
        """The token count it reports. None means that the server does not count tokens."""
        self.counted: list[Request] = []
        """The requests to count tokens. `requests` does not contain them."""
        self.asked = threading.Event()
        """Set by the first request for a reply or for the models."""
        self.disconnected = threading.Event()
        """Set when a client closes its connection before its answer is complete."""
        self.models: list[dict[str, Any]] = [{"id": "test-model", "display_name": "Test model"}]
        self.listing: Answer | None = None
        """The answer to a request for the models, in place of `models`."""
        self._answers: deque[Answer] = deque()
        self._is_held = False
        self._permits = 0
        self._permitted = asyncio.Event()
        self._connections = 0
        self._is_listening = threading.Event()
        self._stopping = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, name="model server", daemon=True)

    # Used by tests

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_listening.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE)

    @property
    def url(self) -> str:
        """The base URL, as the protocol defines it."""
        host, port = self._socket.getsockname()
        return f"http://{host}:{port}" + ("/v1" if self.protocol is ProtocolName.OPENAI else "")

    def build_endpoint(self, **changes: Any) -> Endpoint:
        settings = {"name": "Testing", "protocol": self.protocol, "base_url": self.url, "key": "key-of-the-test"}
        return Endpoint(**{**settings, **changes})

    def say(self, *pieces: str, thinking: Sequence[str] = (), stop: str | None = None, **usage: int) -> None:
        """Adds a complete streamed reply of these pieces of text."""
        self.stream(*reply_wire(self.protocol, pieces, thinking=thinking, stop=stop, usage=usage))

    def stream(self, *steps: Step | str, **head: Any) -> None:
        """Adds a stream of exactly these steps."""
        self.answer(Answer([step.encode() if isinstance(step, str) else step for step in steps], **head))

    def refuse(self, status: int, kind: str = "", message: str = "", **headers: str) -> None:
        """Adds an error answer. `retry_after="1"` is sent as `retry-after: 1`."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.body({"type": "error", "error": {"type": kind, "message": message}}, status=status, headers=names)

    def body(self, content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Adds an answer in one piece: JSON, or bytes of the type in `headers`."""
        whole = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.answer(Answer([whole], status, {"content-type": "application/json", **(headers or {})}, length=len(whole)))

    def answer(self, answer: Answer) -> None:
        self._answers.append(answer)

    def forget(self) -> None:
        """Drops all prepared answers."""
        self._answers.clear()

    def hold(self) -> None:
        self._is_held, self._permits = True, 0

    def step(self, count: int = 1) -> None:
        """Lets `count` held pieces of text go."""
        self._loop.call_soon_threadsafe(self._permit, count)

    def release(self) -> None:
        self._is_held = False
        self.step(0)

    async def until_disconnected(self, seconds: float = PATIENCE) -> bool:
        return await asyncio.to_thread(self.disconnected.wait, seconds)

    # The server itself

    def _permit(self, count: int) -> None:
        self._permits += count
        self._permitted.set()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        server = await self._loop.create_server(
            lambda: asyncio.StreamReaderProtocol(Reader(), self._serve), sock=self._socket
        )
        self._is_listening.set()
        await self._stopping.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        try:
            while request := await _read_request(reader, number):
                if request.path.endswith("/count_tokens"):
                    self.counted.append(request)
                    answer = self._count()
                else:
                    self.requests.append(request)
                    self.asked.set()
                    answer = self._answer_to(request)
                if not await self._reply(answer, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.disconnected.set()
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    def _count(self) -> Answer:
        if self.count is None:
            return _json_answer({"type": "error", "error": {"type": "not_found_error", "message": "no such path"}}, 404)
        return _json_answer({"input_tokens": self.count})

    def _answer_to(self, request: Request) -> Answer:
        if request.method == "GET":
            return self.listing or _json_answer({"data": self.models, "has_more": False})
        if not self._answers:
            return _json_answer({"error": {"type": "api_error", "message": "no answer was prepared"}}, 500)
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]

    async def _reply(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Writes the answer and watches for a disconnect. Returns whether the connection can be reused."""
        writing = asyncio.ensure_future(self._write(answer, writer))
        assert isinstance(reader, Reader)
        leaving = asyncio.ensure_future(reader.ended.wait())
        try:
            await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                return writing.result()
            self.disconnected.set()
            return False
        finally:
            writing.cancel()
            leaving.cancel()

    async def _write(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        for step in answer.before:
            if not await self._take(step, writer, is_chunked=False):
                return False
        is_chunked = answer.length is None
        framing = {"transfer-encoding": "chunked"} if is_chunked else {"content-length": str(answer.length)}
        head = "".join(f"{name}: {value}\r\n" for name, value in {**answer.headers, **framing}.items())
        writer.write(f"HTTP/1.1 {answer.status} Whatever\r\n{head}\r\n".encode())
        for step in answer.steps:
            if not await self._take(step, writer, is_chunked=is_chunked):
                return False
        if is_chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _take(self, step: Step, writer: asyncio.StreamWriter, *, is_chunked: bool) -> bool:
        match step:
            case bytes():
                if is_text(step):
                    await self._wait_for_permit()
                if step:
                    writer.write(b"%x\r\n%s\r\n" % (len(step), step) if is_chunked else step)
                await writer.drain()
                # Yields to the loop, so that two writes arrive separately.
                await asyncio.sleep(0)
            case Gate():
                await step.wait()
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Hang():
                await asyncio.Event().wait()
            case Abort():
                writer.transport.abort()
                return False
        return True

    async def _wait_for_permit(self) -> None:
        while self._is_held and not self._permits:
            self._permitted.clear()
            await self._permitted.wait()
        self._permits = max(0, self._permits - 1)


def _json_answer(content: object, status: int = 200) -> Answer:
    whole = json.dumps(content).encode()
    return Answer([whole], status, {"content-type": "application/json"}, length=len(whole))


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Request | None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(method, target, headers, body, connection)
    return None
