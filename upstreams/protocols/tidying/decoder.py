"""Mends what the decoders of both protocols read: characters cut in two, and thinking that is written into text."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from upstreams.endpoint import Endpoint
from upstreams.events import ReplyEvent
from upstreams.protocols.tidying.surrogates import SurrogateJoiner
from upstreams.protocols.tidying.think_filter import ThinkTagFilter
from upstreams.wire.sse import ServerSentEvent


class RawDecoder(Protocol):
    """The decoder of one protocol."""

    done: bool
    has_surrogates: bool
    """Whether an event had lone surrogates, so that all further events may have some."""

    @property
    def size(self) -> int: ...

    @property
    def image_size(self) -> int: ...

    def feed(self, sse: ServerSentEvent, /) -> Sequence[ReplyEvent]: ...

    def end(self) -> Sequence[ReplyEvent]: ...


class TidyDecoder:
    """Decodes one streamed reply."""

    def __init__(self, raw: RawDecoder, endpoint: Endpoint) -> None:
        self._raw = raw
        self._joiner: SurrogateJoiner | None = None
        self._tags: ThinkTagFilter | None = ThinkTagFilter() if endpoint.splits_think_tags else None

    @property
    def done(self) -> bool:
        return self._raw.done

    @property
    def size(self) -> int:
        return self._raw.size

    @property
    def image_size(self) -> int:
        return self._raw.image_size

    def passes(self, text: str) -> bool:
        """Whether a piece of the open block's text is content as it is. Takes note of it if so."""
        return (self._joiner is None or not self._joiner.holds_half) and (self._tags is None or self._tags.passes(text))

    def feed(self, sse: ServerSentEvent) -> Sequence[ReplyEvent]:
        return self._tidy(self._raw.feed(sse))

    def end(self) -> Sequence[ReplyEvent]:
        return self._tidy(self._raw.end())

    def _tidy(self, events: Sequence[ReplyEvent]) -> Sequence[ReplyEvent]:
        if self._raw.has_surrogates:
            self._joiner = self._joiner or SurrogateJoiner()
            events = list(self._joiner.join(events))
        if self._tags:
            events = list(self._tags.split(events))
            if self._tags.is_done:
                self._tags = None
        return events


def tidy_whole(events: Iterator[ReplyEvent], endpoint: Endpoint) -> Iterator[ReplyEvent]:
    """The events of a reply in one piece."""
    return ThinkTagFilter().split(events) if endpoint.splits_think_tags else events
