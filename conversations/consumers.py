"""One tab on one conversation: let in, brought up to date, then told everything that happens."""

import asyncio
import logging
from collections.abc import Iterable
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.models import User
from accounts.sessions import session_is_alive
from conversations import broadcasts, relay
from conversations.hub import CHECK_AGAIN, Frame, conversation_topic, hub, person_topic
from conversations.models import Conversation

NO_ACCESS = 4403
"""Close code: the session ended, the account was deactivated, or the conversation is no longer theirs."""
BAD_EVENT = 4400
CHECK_INTERVAL = 30.0
"""Seconds between two looks whether the person may still listen."""
OUR_FAULT = 1011
LONGEST_EVENT = 1024

logger = logging.getLogger(__name__)


class ConversationConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Out: HTML for htmx. In: any short text, such as a heartbeat, is answered by `{"type":"pong"}`.

    The address may say `?since=<revision>`: what changed after the page was drawn comes first.
    """

    # The hub carries everything; a channel of its own would only cost each tab a second queue.
    channel_layer_alias = ""

    async def connect(self) -> None:
        self.pk = int(self.scope["url_route"]["kwargs"]["pk"])
        self.user: User = self.scope["user"]
        self.passing: asyncio.Task[None] | None = None
        self.caught_up_to = revision_in(self.scope["query_string"])
        self.seen: dict[int, int] = {}
        if not await self.is_welcome():
            await self.close()
            return
        await self.accept()
        # Joined before anything is read: what happens meanwhile waits in the queue.
        self.viewer = hub.join(conversation_topic(self.pk), person_topic(self.user.pk))
        self.passing = asyncio.create_task(self.pass_on())

    async def disconnect(self, code: int) -> None:
        if self.passing:
            hub.leave(self.viewer)
            self.passing.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data or len(text_data or "") > LONGEST_EVENT:
            await self.close(BAD_EVENT)
        elif not await self.is_welcome():
            await self.close(NO_ACCESS)
        else:
            await self.send('{"type":"pong"}')

    async def is_welcome(self) -> bool:
        return await sync_to_async(may_listen)(self.user, self.scope["session"].session_key, self.pk)

    async def pass_on(self) -> None:
        try:
            await self.keep_up()
        except Exception:
            # Left open, the tab would never hear anything again; closed, it comes back by itself.
            logger.exception("A tab on conversation %s could not be kept up to date", self.pk)
            await self.close(OUR_FAULT)

    async def keep_up(self) -> None:
        """Brings the tab up to date, then passes on what is new, for as long as the person may listen."""
        await self.catch_up()
        clock = asyncio.get_running_loop().time
        check_at = clock() + CHECK_INTERVAL
        while True:
            frames = await self.next_frames(check_at - clock())
            # Among the frames that were dropped, one may have asked to check.
            if clock() >= check_at or CHECK_AGAIN in frames or self.viewer.fell_behind:
                if not await self.is_welcome():
                    await self.close(NO_ACCESS)
                    return
                check_at = clock() + CHECK_INTERVAL
            news = None if self.viewer.fell_behind else self.news_in(frames)
            if news is None:
                await self.catch_up()
            else:
                # One by one: htmx finds the targets of all partials of a message before it swaps the first one.
                for html in news:
                    await self.send(html)

    async def next_frames(self, patience: float) -> list[Frame]:
        """Whatever comes within `patience` seconds; empty when nothing does."""
        try:
            return await asyncio.wait_for(self.viewer.take(), max(patience, 0))
        except TimeoutError:
            return []

    def news_in(self, frames: Iterable[Frame]) -> list[str] | None:
        """What the tab does not have yet; None when a frame of a reply is missing."""
        news: list[str] = []
        for frame in frames:
            if frame.generation:
                expected = self.seen.get(frame.generation, 0) + 1
                if frame.seq > expected:
                    return None
                if frame.seq < expected:
                    continue
                self.seen[frame.generation] = frame.seq
            elif 0 < frame.revision <= (self.caught_up_to or 0):
                continue
            if frame.html:
                news.append(frame.html)
        return news

    async def catch_up(self) -> None:
        """Late, reconnected or a frame lost: what changed since, and the running reply as it stands."""
        self.viewer.fell_behind = False
        html, self.caught_up_to = await sync_to_async(broadcasts.changes_since)(self.pk, self.caught_up_to)
        if html:
            await self.send(html)
        # No await from here to the last line: the snapshot and `seen` have to be of one moment.
        if growing := relay.live.get(self.pk):
            snapshot = growing.snapshot()
            self.seen[snapshot.generation] = snapshot.seq
            await self.send(snapshot.html)


def may_listen(user: User, session_key: str | None, conversation_pk: int) -> bool:
    if not user.is_authenticated or not session_is_alive(user.pk, session_key):
        return False
    return Conversation.objects.visible_to(user).filter(pk=conversation_pk).exists()


def revision_in(query: bytes) -> int | None:
    """The revision that the page was drawn at; None when the address does not say."""
    since = parse_qs(query.decode("ascii", "replace")).get("since", [""])[0]
    return int(since) if since.isascii() and since.isdigit() and len(since) < 10 else None
