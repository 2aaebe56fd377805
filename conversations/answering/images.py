"""Stores the images that a model answers with, and names those that cannot be shown."""

import asyncio
import logging
import re
from base64 import b64decode
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from django.conf import settings

from chatsite.failures.retrying import retry_until_saved
from chatsite.process.threads import database_sync_to_async
from conversations.answering.relay import Relay
from conversations.inspection.examine import AT_A_TIME
from conversations.models.attachment import reference_in
from conversations.uploads import NotAttached, save_image
from upstreams.events import BlockClosed, BlockOpened, ReplyEvent

LONGEST_LINK: Final = 2_000
NOT_SHOWN: Final = "*An image came with this answer. It cannot be shown here.*"

_LINK: Final = re.compile(r"https?://[^\s<>\\]+", re.IGNORECASE)
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
# Not the threads of requests: an inspection takes a second, and a hostile image up to a minute.
_threads: Final = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="images")

logger = logging.getLogger(__name__)


class AnswerImages:
    """The images of one reply. Each becomes an attachment of its message as soon as it is complete."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._count = sum(1 for block in relay.draft.blocks if reference_in(block))
        # What a cancelled `take` leaves here, `end` returns.
        self._waiting: deque[ReplyEvent] = deque()
        self._ready: list[ReplyEvent] = []
        self._open: dict[str, Any] | None = None
        """The image that is arriving."""
        self._storing: asyncio.Task[list[ReplyEvent]] | None = None

    async def take(self, batch: Iterable[ReplyEvent]) -> AsyncIterator[Sequence[ReplyEvent]]:
        """Yields the events of a reply, with references to stored files in place of images.

        What precedes an image is yielded before the image is stored.
        """
        self._waiting.extend(batch)
        while self._waiting:
            event = self._waiting.popleft()
            if isinstance(event, BlockOpened) and event.block.get("type") == "image":
                self._open = dict(event.block)
            elif self._open is not None and isinstance(event, BlockClosed):
                self._open |= event.fields
                yield self._take_ready()
                await self._store_open()
            else:
                self._ready.append(event)
        yield self._take_ready()

    async def end(self) -> AsyncIterator[Sequence[ReplyEvent]]:
        """Yields what is left when the reply ends or breaks off, such as an image that is still open."""
        await self._store_open()
        async for events in self.take(()):
            yield events
        await self._store_open()
        yield self._take_ready()

    def _take_ready(self) -> list[ReplyEvent]:
        ready, self._ready = self._ready, []
        return ready

    async def _store_open(self) -> None:
        if self._open is not None:
            self._storing = asyncio.create_task(self._store(self._open))
            self._open = None
        if self._storing is not None:
            # A thread cannot be cancelled. When this call is, the next one gets the result.
            self._ready += await asyncio.shield(self._storing)
            self._storing = None

    async def _store(self, image: Mapping[str, Any]) -> list[ReplyEvent]:
        self._count += 1
        most = settings.ATTACHMENTS_PER_MESSAGE
        if self._count > most + 1:
            return []
        if self._count > most:
            return write(f"*More images came with this answer. It can have at most {most}.*")
        build = partial(self._build_block, image, f"Image {self._count}")
        in_thread = database_sync_to_async(build, thread_sensitive=False, executor=_threads)
        try:
            block = await retry_until_saved(in_thread)
        except Exception:
            logger.exception("An image of message %s could not be stored", self._relay.message.pk)
            block = NOT_SHOWN
        return write(block) if isinstance(block, str) else [BlockOpened(block), BlockClosed({})]

    def _build_block(self, image: Mapping[str, Any], name: str) -> dict[str, Any] | str:
        """Returns the block that refers to the stored image, or Markdown that says why there is none."""
        relay = self._relay
        match image.get("source"):
            case {"type": "base64", "data": str(data)}:
                try:
                    content = decode_base64(data)
                    return save_image(content, name, relay.message, relay.generation.asked_by).reference
                except ValueError:
                    return f"*An image was left out: “{name}” is damaged and cannot be read.*"
                except NotAttached as fault:
                    return f"*An image was left out: {fault}*"
            case {"type": "url", "url": str(url)}:
                # Neither the site nor a browser may load it: its server would learn who reads the answer.
                is_link = len(url) <= LONGEST_LINK and _LINK.fullmatch(url)
                return "*An image was left out: it is stored on another server.*" + (f" <{url}>" if is_link else "")
        return NOT_SHOWN


def write(text: str) -> list[ReplyEvent]:
    return [BlockOpened({"type": "text", "text": text}), BlockClosed({})]


def decode_base64(data: str) -> bytes:
    """Decodes either alphabet, with or without padding and line breaks, as URLs may have it. Raises ValueError."""
    content = b"".join(unquote_to_bytes(data).split()).translate(_URL_SAFE).rstrip(b"=")
    return b64decode(content + b"=" * (-len(content) % 4), validate=True)
