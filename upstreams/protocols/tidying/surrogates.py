"""Joins characters that a server cuts in two: half of a surrogate pair in one piece of text, half in the next."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from upstreams.events import BlockClosed, BlockGrew, BlockOpened, InputGrew, ReplyEnded, ReplyEvent, ReplyStarted
from upstreams.wire.tolerant_json import mend


class SurrogateJoiner:
    """Removes lone surrogates from the events of a reply. A half that stays alone becomes U+FFFD."""

    def __init__(self) -> None:
        self._half: BlockGrew | InputGrew | None = None

    @property
    def holds_half(self) -> bool:
        return self._half is not None

    def join(self, events: Iterable[ReplyEvent]) -> Iterator[ReplyEvent]:
        for event in events:
            match event:
                case BlockGrew(text) | InputGrew(text):
                    text = self._take_half() + text
                    if "\ud800" <= text[-1:] <= "\udbff":
                        self._half = replace(event, text=text[-1])
                        text = text[:-1]
                    if text:
                        yield replace(event, text=mend(text))
                case BlockOpened(block):
                    yield from self._give_up()
                    yield BlockOpened(mend(dict(block)))
                case BlockClosed(fields):
                    yield from self._give_up()
                    yield BlockClosed(mend(dict(fields)))
                case ReplyStarted(id=reply_id, model=model):
                    yield ReplyStarted(id=mend(reply_id), model=mend(model))
                case ReplyEnded():
                    yield from self._give_up()
                    yield ReplyEnded(mend(event.stop_reason), mend(event.stop_sequence), mend(event.explanation))
                case _:
                    yield event

    def _take_half(self) -> str:
        half, self._half = self._half, None
        return half.text if half else ""

    def _give_up(self) -> Iterator[ReplyEvent]:
        if half := self._half:
            self._half = None
            yield replace(half, text=mend(half.text))
