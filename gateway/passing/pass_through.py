"""One attempt to get a reply from an upstream that speaks the client's protocol, copied for the client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.dialects import DIALECTS
from gateway.passing import verbatim
from gateway.passing.chat_calls import find_call_ids
from upstreams.client.call import Call
from upstreams.client.transport import Limits
from upstreams.endpoint import Endpoint
from upstreams.events import CONTENT, ReplyEvent


@dataclass(slots=True)
class ClientBatch:
    """Bytes for the client, and their events."""

    wire: bytes
    events: Sequence[ReplyEvent]

    @property
    def has_content(self) -> bool:
        return any(isinstance(event, CONTENT) for event in self.events)

    def __len__(self) -> int:
        return len(self.wire) + len(self.events)

    def __add__(self, later: "ClientBatch") -> "ClientBatch":
        return ClientBatch(self.wire + later.wire, [*self.events, *later.events])


class PassThrough:
    """A Call that copies the upstream's bytes. Call `open`, then `read` until it returns None, then `close`."""

    def __init__(
        self,
        endpoint: Endpoint,
        payload: Mapping[str, Any],
        limits: Limits,
        *,
        model: str,
        wants_usage: bool,
        beta: str = "",
    ) -> None:
        self._protocol, self._model, self._wants_usage = endpoint.protocol, model, wants_usage
        self._is_streamed = payload.get("stream") is True
        self._call_ids = find_call_ids(payload["messages"])
        self._copier = verbatim.make_copier(endpoint.protocol, model, wants_usage=wants_usage, call_ids=self._call_ids)
        # Tags in the text stay in it: the client gets it as it is.
        endpoint = replace(endpoint, splits_think_tags=False, beta=",".join(filter(None, (endpoint.beta, beta))))
        copy = self._copier.copy if self._is_streamed else None
        self._call = Call(endpoint, payload, limits, copy=copy, may_be_empty=True)

    @property
    def has_content(self) -> bool:
        return self._call.has_content

    async def open(self) -> None:
        await self._call.open()

    async def read(self) -> ClientBatch | None:
        """Returns what has arrived, perhaps nothing yet; None when the reply is complete.

        Its `wire` is empty when a stream arrives although the client wants one piece.
        """
        call = self._call
        events = await call.read()
        if events is None:
            return None
        wire = call.take_copy()
        if call.is_complete and call.body:
            wire = self._whole(call.body, events)
        elif call.is_complete and self._is_streamed:
            wire += self._copier.missing_end()
        return ClientBatch(wire, events)

    async def close(self) -> None:
        await self._call.close()

    def _whole(self, body: bytes, events: Sequence[ReplyEvent]) -> bytes:
        """A reply that arrived in one piece."""
        if self._is_streamed:
            return DIALECTS[self._protocol].Encoder(self._model, self._wants_usage).feed(events)
        return verbatim.copy_whole(self._protocol, body, self._model, self._call_ids)
