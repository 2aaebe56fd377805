"""One open tab: let in, brought up to date, then told everything that happens."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from accounts.models import User
from accounts.sessions import session_is_alive
from chatsite.numbers import whole_number
from conversations.answering import replies
from conversations.live import broadcasts
from conversations.live.hub import CHECK_AGAIN, Frame, conversation_topic, hub, person_topic
from conversations.models import Branch, Conversation, Path
from conversations.upkeep import watch

NO_ACCESS = 4403
"""Close code: the session ended, the account was deactivated, or the conversation is no longer theirs."""
BAD_EVENT = 4400
OUR_FAULT = 1011
CHECK_INTERVAL = 30.0
"""Seconds between two looks whether the person may still listen; a quarter more or less, so that the looks of the many
tabs that have come back after a restart spread."""
LONGEST_EVENT = 1024

logger = logging.getLogger(__name__)


class Tab(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A page without a conversation: what happens to the person's list of them.

    Out: HTML for htmx. In: any short text, such as a heartbeat, is answered by `{"type":"pong"}`.
    """

    user: User
    passing: asyncio.Task[None] | None = None
    looking: asyncio.Task[None] | None = None
    check: asyncio.TimerHandle | None = None
    is_over = False

    async def dispatch(self, message: Mapping[str, Any]) -> None:
        """Takes what was sent at once: Channels would have the thread that serves the database tidy up first."""
        if message["type"] == "websocket.receive":
            await self.websocket_receive(message)
        else:
            await super().dispatch(message)

    async def connect(self) -> None:
        self.user = self.scope["user"]
        if not await self.is_welcome():
            await self.close()
            return
        await self.accept()
        watch.ensure_running()
        # Joined before anything is read: what happens meanwhile waits in the queue.
        self.viewer = hub.join(*self.topics())
        self.passing = asyncio.create_task(self.or_close(self.keep_up))
        self.look_later()

    async def disconnect(self, code: int) -> None:
        self.let_go()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data or len(text_data or "") > LONGEST_EVENT:
            await self.close(BAD_EVENT)
            return
        # At once: the page would take a database that is slow to answer for a connection that is dead.
        await self.send('{"type":"pong"}')
        self.look()

    def topics(self) -> list[str]:
        return [person_topic(self.user.pk)]

    async def is_welcome(self) -> bool:
        return bool(await database_sync_to_async(self.may_listen)())

    def may_listen(self) -> bool:
        return self.user.is_authenticated and session_is_alive(self.user.pk, self.scope["session"].session_key)

    async def or_close(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:
            # Left open, the tab would never hear anything again; closed, it comes back by itself.
            logger.exception("A tab of person %s could not be kept up to date", self.user.pk)
            await self.end(OUR_FAULT)

    async def end(self, code: int) -> None:
        """Nothing more is passed on, however long the other side takes to hear that it is over."""
        self.let_go()
        await self.close(code)

    def let_go(self) -> None:
        self.is_over = True
        if self.check:
            self.check.cancel()
        if self.passing:
            hub.leave(self.viewer)
        for task in (self.passing, self.looking):
            if task and task is not asyncio.current_task():
                task.cancel()

    def look(self) -> None:
        """Looks, beside all else, whether the person may still listen: a slow database holds up nobody's frames."""
        if not self.is_over and (self.looking is None or self.looking.done()):
            self.looking = asyncio.create_task(self.or_close(self.end_unless_welcome))

    def look_later(self) -> None:
        if self.check:
            self.check.cancel()
        pause = random.uniform(0.75, 1.25) * CHECK_INTERVAL  # noqa: S311 (it only spreads the looks)
        self.check = asyncio.get_running_loop().call_later(pause, self.look)

    async def end_unless_welcome(self) -> None:
        if await self.is_welcome():
            self.look_later()
        else:
            await self.end(NO_ACCESS)

    async def keep_up(self) -> None:
        """Brings the tab up to date, then passes on what is new, for as long as the person may listen."""
        await self.catch_up()
        while True:
            frames = await self.viewer.take()
            fell_behind, self.viewer.fell_behind = self.viewer.fell_behind, False
            # Asked for, the look comes before anything else is passed on. Among dropped frames, one may have asked.
            if (CHECK_AGAIN in frames or fell_behind) and not await self.is_welcome():
                await self.end(NO_ACCESS)
                return
            news = None if fell_behind else self.news_in(frames)
            if news is None:
                await self.catch_up()
                # Catching up is about the conversation; what else came with the gap is in no other frame.
                news = [frame.html for frame in frames if frame.html and not (frame.relay or frame.revision)]
            # One by one: htmx finds the targets of all partials of a message before it swaps the first one.
            for html in news:
                await self.send(html)

    def news_in(self, frames: Iterable[Frame]) -> list[str] | None:
        """What the tab does not have yet; None when something is missing."""
        return [frame.html for frame in frames if frame.html]

    async def catch_up(self) -> None:
        """Sends what the page lacks."""


class ConversationTab(Tab):
    """A conversation's page. The address says what it shows: `?branch=<key>`, and from when: `?since=<revision>`."""

    path: Path | None = None

    async def connect(self) -> None:
        self.pk = int(self.scope["url_route"]["kwargs"]["pk"])
        self.caught_up_to = number_in(self.scope["query_string"], "since")
        self.branch = number_in(self.scope["query_string"], "branch")
        self.seen: dict[int, int] = {}
        self.told: set[int] = set()
        await super().connect()

    def topics(self) -> list[str]:
        return [*super().topics(), conversation_topic(self.pk)]

    def may_listen(self) -> bool:
        if not super().may_listen():
            return False
        conversation = Conversation.objects.visible_to(self.user).select_related("branch").filter(pk=self.pk).first()
        if conversation is not None and self.path is None:
            try:
                self.path = Path.through(conversation, self.branch)
            except Branch.DoesNotExist:
                return False
        return conversation is not None

    def news_in(self, frames: Iterable[Frame]) -> list[str] | None:
        assert self.path is not None
        news: list[str] = []
        told: list[int] = []
        for frame in frames:
            if frame.branch and not self.path.includes(frame.branch, frame.message):
                continue
            is_known = 0 < frame.revision <= (self.caught_up_to or 0)
            if frame.must_catch_up and not is_known:
                return None
            if frame.relay:
                expected = self.seen.get(frame.relay, 0) + 1
                if frame.seq > expected and not is_known:
                    return None
                if frame.seq != expected:
                    continue
                self.seen[frame.relay] = frame.seq
            elif is_known:
                continue
            if frame.html:
                news.append(frame.html)
            elif frame.revision:
                told.append(frame.revision)
        # Only now: with a gap among them, none of these frames is passed on.
        self.move_on(told)
        return news

    def move_on(self, told: Iterable[int]) -> None:
        """With all revisions up to one told, whatever their order, catching up begins after it."""
        self.told.update(told)
        while (self.caught_up_to or 0) + 1 in self.told:
            self.caught_up_to = (self.caught_up_to or 0) + 1
            self.told.discard(self.caught_up_to)

    async def catch_up(self) -> None:
        """Late, reconnected or a frame lost: what changed since, and the running reply as it stands."""
        assert self.path is not None
        since = self.caught_up_to
        changes, self.caught_up_to = await sync_to_async(broadcasts.changes_since)(self.path, since)
        self.told = {revision for revision in self.told if revision > self.caught_up_to}
        growing = replies.local.find(self.pk)
        row = ""
        for message_pk, html in changes:
            if growing and message_pk == growing.message.pk and not growing.message.deleted_at:
                # The snapshot says more than the row, and leaves what somebody has opened in the page open.
                row = html
            else:
                await self.send(html)
        if row and replies.local.find(self.pk) is not growing:
            await self.send(row)
        # No await from here to the last line: the snapshot and `seen` have to be of one moment.
        growing = replies.local.find(self.pk)
        if growing and broadcasts.includes(self.path, growing.message):
            snapshot = growing.snapshot(since)
            self.seen[snapshot.relay] = snapshot.seq
            if not growing.message.deleted_at:
                await self.send(snapshot.html)


def number_in(query: bytes, name: str) -> int | None:
    """A whole number of the address, None when it has none of that name."""
    return whole_number(parse_qs(query.decode("ascii", "replace")).get(name, [""])[0])
