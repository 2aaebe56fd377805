"""A model server that replays made-up answers at a steady pace, in both protocols.

    python -m bench.upstream --port 9100

The name of the model sets the answer: `replay-table-n400-r50-s5-d2` is a table of 400 tokens at 50 tokens per second,
in which every fifth token is a stamp, after a delay of 2 seconds. A stamp holds the time at which it was written, which
gives the latency wherever it is read: "T" and, in hexadecimal digits, the count of 0.1 ms since `--epoch` on the clock
that all processes share.
"""

import argparse
import asyncio
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from bench.answers import SHAPES, make_tokens

LONGEST: Final = 100_000
"""The most tokens of an answer."""
_NAME = re.compile(r"replay-([a-z]+)-n([0-9]{1,6})-r([0-9]{1,5})-s([0-9]{1,3})-d([0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer: `count` tokens, `rate` per second after `delay` seconds, every `stamped`-th a stamp (0 for none)."""

    shape: str
    count: int
    rate: int
    stamped: int = 5
    delay: int = 0

    @property
    def model_id(self) -> str:
        return f"replay-{self.shape}-n{self.count}-r{self.rate}-s{self.stamped}-d{self.delay}"

    @classmethod
    def from_model_id(cls, model_id: str) -> "Plan":
        if not (found := _NAME.fullmatch(model_id)) or found[1] not in SHAPES:
            return cls("paragraphs", 200, 50)
        count, rate, stamped, delay = map(int, found.groups()[1:])
        return cls(found[1], max(10, min(count, LONGEST)), max(1, rate), stamped, delay)


@dataclass(frozen=True, slots=True)
class Wire:
    """The bytes of a protocol before, around and after the tokens of an answer."""

    opening: bytes
    before: bytes
    after: bytes
    closing: bytes


def encode_event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def messages_wire(plan: Plan) -> Wire:
    usage = {"input_tokens": 10, "output_tokens": 1}
    message = {"id": "msg_replay", "type": "message", "role": "assistant", "content": [], "model": plan.model_id}
    delta = encode_event("content_block_delta", index=0, delta={"type": "text_delta", "text": "@"})
    before, after = delta.split(b"@")
    return Wire(
        encode_event("message_start", message={**message, "stop_reason": None, "usage": usage})
        + encode_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        before,
        after,
        encode_event("content_block_stop", index=0)
        + encode_event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": plan.count})
        + encode_event("message_stop"),
    )


def completions_wire(plan: Plan) -> Wire:
    def chunk(delta: dict[str, str], reason: str | None = None, **fields: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        head = {"id": "chatcmpl-replay", "object": "chat.completion.chunk", "created": 0, "model": plan.model_id}
        return f"data: {json.dumps({**head, 'choices': [choice], **fields})}\n\n".encode()

    before, after = chunk({"content": "@"}).split(b"@")
    usage = {"prompt_tokens": 10, "completion_tokens": plan.count, "total_tokens": plan.count + 10}
    end = chunk({}, "stop", usage=usage) + b"data: [DONE]\n\n"
    return Wire(chunk({"role": "assistant", "content": ""}), before, after, end)


WIRES: Final = {"/v1/messages": messages_wire, "/v1/chat/completions": completions_wire}


@cache
def script(plan: Plan) -> list[bytes | None]:
    """Returns the tokens of the answer in JSON escapes, with None in place of each stamp."""
    escaped: list[bytes | None] = []
    since_stamp = 0
    for token in make_tokens(plan.shape, plan.count):
        since_stamp += 1
        is_word = len(token) > 3 and token[0] == " " and token[1:].isalpha()
        if is_word and plan.stamped and since_stamp >= plan.stamped:
            escaped.append(None)
            since_stamp -= plan.stamped
        else:
            escaped.append(json.dumps(token)[1:-1].encode())
    return escaped


class Connection(asyncio.Protocol):
    """One client connection, which answers one request after another."""

    def __init__(self, epoch: float) -> None:
        self.epoch = epoch
        self.loop = asyncio.get_running_loop()
        self.received = b""
        self.timer: asyncio.TimerHandle | None = None
        self.last_stamp = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: *([0-9]+)", head)
        size = int(length[1]) if length else 0
        if end and len(body) >= size:
            self.received = body[size:]
            self.answer(head.split(b" ", 2)[1].decode(), body[:size])

    def answer(self, path: str, body: bytes) -> None:
        if path not in WIRES:
            listing = b'{"object": "list", "data": [], "has_more": false}'
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(listing)}\r\n\r\n"
            self.transport.write(head.encode() + listing)
            return
        self.plan = Plan.from_model_id(json.loads(body)["model"])
        self.wire, self.script = WIRES[path](self.plan), script(self.plan)
        self.sent, self.began = 0, self.loop.time() + self.plan.delay
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        self.transport.write(head.encode() + encode_chunk(self.wire.opening))
        self.timer = self.loop.call_at(self.began, self.write_due)

    def write_due(self) -> None:
        """Writes each token that is due in a chunk of its own, as model servers do."""
        due = min(self.plan.count, int((self.loop.time() - self.began) * self.plan.rate + 1e-6) + 1)
        self.transport.write(b"".join(encode_chunk(self.token(at)) for at in range(self.sent, due)))
        self.sent = due
        if due < self.plan.count:
            self.timer = self.loop.call_at(self.began + due / self.plan.rate, self.write_due)
        else:
            self.timer = None
            self.transport.write(encode_chunk(self.wire.closing) + b"0\r\n\r\n")

    def token(self, at: int) -> bytes:
        text = self.script[at]
        if text is None:
            # The stamps of an answer differ, even if two are written at the same moment.
            self.last_stamp = max(count_tenths(self.epoch), self.last_stamp + 1)
            text = b" T%06x" % self.last_stamp
        return self.wire.before + text + self.wire.after


def encode_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def count_tenths(epoch: float) -> int:
    """Counts the tenths of a millisecond since `epoch`."""
    return int((time.monotonic() - epoch) * 10_000)


async def serve(port: int, epoch: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(epoch), "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 for a free port, which is printed")
    parser.add_argument("--epoch", type=float, default=0.0, help="start of the stamps, in monotonic seconds")
    options = parser.parse_args()
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    with suppress(KeyboardInterrupt):
        run(serve(options.port, options.epoch))


if __name__ == "__main__":
    main()
