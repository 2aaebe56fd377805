"""Reads recorded replies like the client, without a network."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from upstreams.endpoint import Endpoint, ProtocolName
from upstreams.errors import UpstreamError
from upstreams.events import (
    BlockClosed,
    BlockGrew,
    BlockOpened,
    ReplyEnded,
    ReplyEvent,
    ReplyStarted,
    SettingRefused,
    TextWasThinking,
    Usage,
    UsageReported,
)
from upstreams.protocols import PROTOCOLS
from upstreams.reply import build_thinking
from upstreams.wire.sse import SSEDecoder

KEY = "sk-very-secret"


@dataclass
class Read:
    """A reply at its end: its blocks, its stop reason, and its failure, if any."""

    blocks: list[dict[str, Any]] = field(default_factory=list)
    started: ReplyStarted | None = None
    ended: ReplyEnded | None = None
    usage: Usage = field(default_factory=Usage)
    failure: UpstreamError | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(block["text"] for block in self.blocks if block["type"] == "text")

    @property
    def thinking(self) -> str:
        return "".join(block["thinking"] for block in self.blocks if block["type"] == "thinking")

    @property
    def reason(self) -> str | None:
        assert self.ended, f"the reply did not end properly: {self.failure!r}"
        return self.ended.stop_reason

    @property
    def kind(self) -> str:
        return self.failure.kind if self.failure else ""

    def take(self, event: ReplyEvent) -> None:
        match event:
            case ReplyStarted():
                self.started = event
            case BlockOpened(block=block):
                self.blocks.append(dict(block))
            case BlockGrew(text=text):
                block = self.blocks[-1]
                block[block["type"]] += text
            case BlockClosed(fields=fields):
                self.blocks[-1] |= fields
            case SettingRefused(remark=remark):
                self.remarks.append(remark)
            case TextWasThinking():
                self.blocks[-1] = build_thinking(event.find_thinking(self.blocks[-1]["text"]), event.tags)
            case UsageReported(usage=usage):
                self.usage = self.usage.merge(usage)
            case ReplyEnded():
                assert self.ended is None
                self.ended = event


def endpoint(protocol: ProtocolName, **changes: Any) -> Endpoint:
    return Endpoint(**{"name": "Testing", "protocol": protocol, "base_url": "http://x", "key": KEY, **changes})


def read_stream(to: Endpoint, chunks: Iterable[bytes]) -> Read:
    read, sse, decoder = Read(), SSEDecoder(), PROTOCOLS[to.protocol].Decoder(to)
    try:
        for chunk in chunks:
            for event in sse.feed(chunk):
                for reply_event in decoder.feed(event):
                    read.take(reply_event)
        for reply_event in decoder.end():
            read.take(reply_event)
    except UpstreamError as failure:
        read.failure = failure
    return read


def read_body(to: Endpoint, body: bytes) -> Read:
    read = Read()
    try:
        for event in PROTOCOLS[to.protocol].read_whole(body, to):
            read.take(event)
    except UpstreamError as failure:
        read.failure = failure
    return read


def bytewise(wire: bytes) -> list[bytes]:
    return [wire[i : i + 1] for i in range(len(wire))]
