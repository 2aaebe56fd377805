"""The socket of an open tab: it checks access, brings the page up to date, then passes on every update."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseFailure

from accounts.models import User
from accounts.sessions import find_person, is_session_alive
from chatsite.logs.exceptions import read_first_line
from chatsite.logs.request_ids import get_request_id
from chatsite.process.threads import database_sync_to_async
from chatsite.serving.handshakes import refuse
from chatsite.serving.token_bucket import TokenBucket
from chatsite.values.numbers import whole_number
from conversations.answering import elsewhere, replies
from conversations.live import broadcasts
from conversations.live.hub import CHECK_AGAIN, Frame, conversation_topic, hub, person_topic
from conversations.live.open_tabs import OpenTabs
from conversations.models import Branch, Conversation, Path

NO_ACCESS = 4403
"""Close code: the session ended, the account was deactivated, or the person lost access to the conversation."""
TOO_MANY_TABS = 4429
"""Close code: the person has opened other tabs since. The page does not reconnect by itself."""
BAD_EVENT = 4400
OUR_FAULT = 4500
"""Close code: an error on the server. The reason is the reference for administrators.

The registered code, 1011, is one that Autobahn refuses to send.
"""
CHECK_INTERVAL = 30.0
"""Seconds between two checks of access, give or take a quarter, to spread those of tabs that reconnected together."""
CHECK_PAUSE = 20.0
"""A tab that sends something has its access checked, but only if the last check is at least this many seconds old."""
BEHIND = '{"type":"behind"}'
"""Says that updates were lost. The socket brings the conversation up to date, and the page loads its list again."""
LONGEST_EVENT = 1024
EVENT_RATE = (20, 2)
"""Events that a tab may send at once, and in each second. Pages send one every few seconds."""

logger = logging.getLogger(__name__)

open_tabs: "OpenTabs[Tab]" = OpenTabs()
_connecting = ThreadPoolExecutor(2, thread_name_prefix="connecting")


class Tab(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A page without a conversation, whose list of conversations stays up to date.

    It sends HTML for htmx. It answers any short text, such as a heartbeat, with `{"type":"pong"}`.
    """

    user: User
    following: asyncio.Task[None] | None = None
    checking: asyncio.Task[None] | None = None
    next_check: asyncio.TimerHandle | None = None
    is_over = False

    async def dispatch(self, message: Mapping[str, Any]) -> None:
        """Acts at once; Channels would first have the shared database thread close old connections."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: Mapping[str, Any]) -> None:
        self.release()
        raise StopConsumer

    async def connect(self) -> None:
        self.session_key = self.scope["cookies"].get(settings.SESSION_COOKIE_NAME, "")
        if refusal := await self.find_refusal():
            await refuse(self.scope, self.base_send, refusal)
            return
        await self.accept()
        # Join before anything is read, so that the queue has all changes from then on.
        self.viewer = hub.join(*self.topics())
        self.rate = TokenBucket(*EVENT_RATE)
        self.heard_at = self.checked_at = asyncio.get_running_loop().time()
        self.following = asyncio.create_task(self.close_on_error(self.follow))
        self.schedule_check()
        if silent := open_tabs.add(self.user.pk, self, settings.TABS_PER_PERSON):
            await silent.end(TOO_MANY_TABS)

    async def find_refusal(self) -> HTTPStatus | None:
        """Uses threads of its own: on the shared one, a crowd that reconnects would hold up everything else."""
        if not self.session_key:
            return HTTPStatus.FORBIDDEN
        identify = database_sync_to_async(self.identify, thread_sensitive=False, executor=_connecting)
        try:
            return None if await identify() else HTTPStatus.FORBIDDEN
        except DatabaseFailure as failure:
            logger.warning("A tab could not connect: %s", read_first_line(failure))
            return HTTPStatus.SERVICE_UNAVAILABLE

    def identify(self) -> bool:
        """Finds the person of the session. Returns whether that person can see what the page shows."""
        person = find_person(self.session_key)
        if person is None:
            return False
        self.user = person
        return self.can_see()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.is_over:
            return
        if bytes_data or len(text_data or "") > LONGEST_EVENT or not self.rate.take():
            await self.end(BAD_EVENT)
            return
        self.heard_at = asyncio.get_running_loop().time()
        # Before the check: the page would mistake a slow database for a dead connection.
        await self.send('{"type":"pong"}')
        if self.heard_at - self.checked_at >= CHECK_PAUSE:
            self.check_access()

    def topics(self) -> list[str]:
        return [person_topic(self.user.pk)]

    async def has_access(self) -> bool:
        self.checked_at = asyncio.get_running_loop().time()
        return bool(await database_sync_to_async(self.can_listen)())

    def can_listen(self) -> bool:
        return is_session_alive(self.user.pk, self.session_key) and self.can_see()

    def can_see(self) -> bool:
        """Whether the person can see what the page shows."""
        return True

    async def close_on_error(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception:
            # A closed tab reconnects by itself; an open one would never get an update again.
            logger.exception("A tab of person %s could not be kept up to date", self.user.pk)
            await self.end(OUR_FAULT, get_request_id())

    async def end(self, code: int, reason: str = "") -> None:
        """Closes the socket. From now on, nothing is sent, even if the browser is slow to close."""
        self.release()
        await self.close(code, reason)

    def release(self) -> None:
        self.is_over = True
        if self.next_check:
            self.next_check.cancel()
        if self.following:
            hub.leave(self.viewer)
            open_tabs.remove(self.user.pk, self)
        for task in (self.following, self.checking):
            if task and task is not asyncio.current_task():
                task.cancel()
        # These refer back to the tab, which would stay in memory until the next garbage collection.
        self.following = self.checking = self.next_check = None

    def check_access(self) -> None:
        """Checks access in its own task, so that a slow database delays no updates."""
        if not self.is_over and (self.checking is None or self.checking.done()):
            self.checking = asyncio.create_task(self.close_on_error(self.end_without_access))

    def schedule_check(self) -> None:
        if self.next_check:
            self.next_check.cancel()
        pause = random.uniform(0.75, 1.25) * CHECK_INTERVAL  # noqa: S311 (it only spreads the checks)
        self.next_check = asyncio.get_running_loop().call_later(pause, self.check_access)

    async def end_without_access(self) -> None:
        if await self.has_access():
            self.schedule_check()
        else:
            await self.end(NO_ACCESS)

    async def follow(self) -> None:
        """Brings the tab up to date, then passes on updates for as long as the person has access."""
        await self.catch_up()
        while True:
            frames = await self.viewer.take()
            fell_behind, self.viewer.fell_behind = self.viewer.fell_behind, False
            # A requested check comes before anything else is passed on. A dropped frame may have requested one.
            if (CHECK_AGAIN in frames or fell_behind) and not await self.has_access():
                await self.end(NO_ACCESS)
                return
            if fell_behind:
                await self.send(BEHIND)
            updates = None if fell_behind else self.updates_in(frames)
            if updates is None:
                await self.catch_up()
                # Catching up covers the conversation. Other updates that came with the gap are in no other frame.
                updates = [frame.html for frame in frames if frame.html and not (frame.relay or frame.revision)]
            # One message each: htmx finds the targets of all partials of a message before it swaps the first one.
            for html in updates:
                await self.send(html)

    def updates_in(self, frames: Iterable[Frame]) -> list[str] | None:
        """Returns the HTML that the tab does not have yet, or None if frames are missing."""
        return [frame.html for frame in frames if frame.html]

    async def catch_up(self) -> None:
        """Sends what the page lacks."""


class ConversationTab(Tab):
    """A conversation's page. The address has the branch it shows, `?branch=<key>`, and its `?since=<revision>`."""

    path: Path | None = None

    async def connect(self) -> None:
        self.pk = int(self.scope["url_route"]["kwargs"]["pk"])
        self.revision = number_in(self.scope["query_string"], "since")
        """The page has everything up to this revision."""
        self.branch = number_in(self.scope["query_string"], "branch")
        self.later_revisions: set[int] = set()
        """Revisions that the page has although an earlier one is still missing."""
        self.last_seq: dict[int, int] = {}
        """The latest frame of each relay."""
        await super().connect()

    def topics(self) -> list[str]:
        return [*super().topics(), conversation_topic(self.pk)]

    def can_see(self) -> bool:
        conversation = Conversation.objects.visible_to(self.user).select_related("branch").filter(pk=self.pk).first()
        if conversation is not None and self.path is None:
            try:
                self.path = Path.through(conversation, self.branch)
            except Branch.DoesNotExist:
                return False
        return conversation is not None

    def updates_in(self, frames: Iterable[Frame]) -> list[str] | None:
        assert self.path is not None
        updates: list[str] = []
        revisions: list[int] = []
        for frame in frames:
            if frame.branch and not self.path.includes(frame.branch, frame.message):
                continue
            is_known = 0 < frame.revision <= (self.revision or 0)
            if frame.must_catch_up and not is_known:
                return None
            if frame.relay:
                expected = self.last_seq.get(frame.relay, 0) + 1
                if frame.seq > expected and not is_known:
                    return None
                if frame.seq != expected:
                    continue
                self.last_seq[frame.relay] = frame.seq
            elif is_known:
                continue
            if frame.html:
                updates.append(frame.html)
            elif frame.revision:
                revisions.append(frame.revision)
        # Not within the loop, because after a gap none of these frames is sent.
        self.advance(revisions)
        return updates

    def advance(self, revisions: Iterable[int]) -> None:
        """Notes complete revisions, in any order. Catching up begins after the last one before a gap."""
        self.later_revisions.update(revisions)
        while (self.revision or 0) + 1 in self.later_revisions:
            self.revision = (self.revision or 0) + 1
            self.later_revisions.discard(self.revision)

    async def catch_up(self) -> None:
        """Sends what changed since the page's revision, and the running reply as it is now.

        Joining late, reconnecting and missing a frame are one case.
        """
        assert self.path is not None
        since = self.revision
        changes, self.revision = await render_updates_together(self.path, since)
        self.later_revisions = {revision for revision in self.later_revisions if revision > self.revision}
        remote = None if replies.local.find(self.pk) else await elsewhere.local.find_snapshot(self.pk, since)
        growing = replies.local.find(self.pk)
        saved = ""
        for message_pk, html in changes:
            if growing and message_pk == growing.message.pk and not growing.message.deleted_at:
                # The snapshot is newer than the saved message, and keeps open what a person has opened on the page.
                saved = html
            elif not (remote and remote.html and message_pk == remote.message):
                await self.send(html)
        if saved and replies.local.find(self.pk) is not growing:
            await self.send(saved)
        if remote and self.path.includes(remote.branch, remote.message):
            self.last_seq[remote.relay] = remote.seq
            if remote.html:
                await self.send(remote.html)
        # No await from here to the last line: the snapshot and its `seq` belong to one moment.
        growing = replies.local.find(self.pk)
        if growing and self.path.includes(growing.message.branch_id, growing.message.pk):
            snapshot = growing.snapshot(since)
            self.last_seq[snapshot.relay] = snapshot.seq
            if not growing.message.deleted_at:
                await self.send(snapshot.html)


_waiting: dict[tuple[object, int, int | None], asyncio.Future[tuple[list[tuple[int, str]], int]]] = {}


async def render_updates_together(path: Path, since: int | None) -> tuple[list[tuple[int, str]], int]:
    """Renders what pages of this revision lack, once for all tabs that wait for it at the same time.

    A tab has to be in the hub before it calls this, so that nothing is missing between the two.
    """
    key = (asyncio.get_running_loop(), path.branch.pk, since)

    def render() -> tuple[list[tuple[int, str]], int]:
        # From here on, the rendering could miss a change that another tab relies on it for.
        _waiting.pop(key, None)
        return broadcasts.render_updates_since(path, since)

    waiting = _waiting.get(key)
    if waiting is None:
        waiting = _waiting[key] = asyncio.ensure_future(database_sync_to_async(render)())
        waiting.add_done_callback(lambda _: _waiting.pop(key, None))
    return await asyncio.shield(waiting)


def number_in(query: bytes, name: str) -> int | None:
    """Returns a whole number from the query string, or None."""
    return whole_number(parse_qs(query.decode("ascii", "replace")).get(name, [""])[0])
