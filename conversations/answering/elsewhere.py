"""Reaches the replies that other processes write, and lets those reach the replies of this one.

If a message is lost, the database says the same a little later.
"""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any, Final

from chatsite.process import lease
from chatsite.process.threads import database_sync_to_async
from conversations.answering import replies
from conversations.live.hub import Frame, Hub, hub
from conversations.models import Generation, Message

PATIENCE: Final = 1.0
"""Seconds to wait for a snapshot. A viewer without one shows what was saved, and asks again at the next gap."""
GATHERING: Final = 0.02
"""Seconds in which viewers that need the same snapshot join one request."""

Wanted = tuple[int, int | None]
"""A conversation, and the revision of the page that the snapshot is for."""


class OtherProcesses:
    """Belongs to the event loop, except for `stop`, `stop_without_asker` and `apply_deletion`."""

    def __init__(self, hub: Hub, own: Callable[[], replies.Replies]) -> None:
        self._hub, self._own = hub, own
        self._address = f"snapshots:{secrets.token_hex(8)}"
        self._gathering: dict[Wanted, asyncio.Future[Frame]] = {}
        self._asked: dict[int, asyncio.Future[Frame]] = {}
        self._numbers = count(1)
        self._checks: set[asyncio.Task[None]] = set()
        hub.listen("stop", lambda generation_pk: own().stop(generation_pk))
        hub.listen("stop without asker", self._check_askers)
        hub.listen("deletion", self._apply_deletion)
        hub.listen("snapshot", self._send_snapshot)
        hub.listen(self._address, self._take_snapshot)

    def stop(self, generation_pk: int) -> None:
        """Stops a reply, whichever process writes it."""
        self._own().stop(generation_pk)
        self._hub.tell("stop", generation_pk)

    def stop_without_asker(self) -> None:
        """Makes the other processes stop the replies that were asked for by people whose accounts have ended."""
        self._hub.tell("stop without asker")

    def apply_deletion(self, message: Message) -> None:
        """Updates a running reply, whichever process writes it, whose message has been deleted or restored."""
        self._own().apply_deletion(message)
        self._hub.tell("deletion", message.conversation_id, message.pk, message.deleted_at, message.shown_since)

    async def find_snapshot(self, conversation_pk: int, since: int | None) -> Frame | None:
        """Returns a frame with the whole reply that another process is writing in this conversation.

        Its `html` is empty if the message is deleted. Returns None if no other process is writing one, or if none
        answers within PATIENCE.
        """
        if self._hub.bus is None or not await database_sync_to_async(is_written_elsewhere)(conversation_pk):
            return None
        wanted, loop = (conversation_pk, since), asyncio.get_running_loop()
        if wanted not in self._gathering:
            self._gathering[wanted] = loop.create_future()
            loop.call_later(GATHERING, self._ask, wanted)
        answer = self._gathering[wanted]
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(answer)
        return None

    def _ask(self, wanted: Wanted) -> None:
        # From here on, a snapshot could miss frames from before another viewer joined.
        number, loop = next(self._numbers), asyncio.get_running_loop()
        self._asked[number] = self._gathering.pop(wanted)
        self._request(number, wanted)
        # After Redis was away, the owner may be connected a little later than this process.
        loop.call_later(PATIENCE / 3, self._request, number, wanted)
        loop.call_later(PATIENCE, self._asked.pop, number, None)

    def _request(self, number: int, wanted: Wanted) -> None:
        if number in self._asked:
            self._hub.tell("snapshot", self._address, number, *wanted)

    def _take_snapshot(self, number: int, *frame: Any) -> None:
        if answer := self._asked.pop(number, None):
            answer.set_result(Frame(*frame))

    def _send_snapshot(self, address: str, number: int, conversation_pk: int, since: int | None) -> None:
        if relay := self._own().find(conversation_pk):
            # No await: the snapshot and its `seq` belong to one moment.
            snapshot = relay.snapshot(since)
            if relay.message.deleted_at:
                snapshot = snapshot._replace(html="")
            self._hub.tell(address, number, *snapshot)

    def _apply_deletion(self, conversation_pk: int, pk: int, deleted_at: str | None, shown_since: int) -> None:
        moment = datetime.fromisoformat(deleted_at) if deleted_at else None
        changed = Message(pk=pk, conversation_id=conversation_pk, deleted_at=moment, shown_since=shown_since)
        self._own().apply_deletion(changed)

    def _check_askers(self) -> None:
        check = asyncio.create_task(database_sync_to_async(self._own().stop_without_asker)())
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)


def is_written_elsewhere(conversation_pk: int) -> bool:
    running = Generation.objects.running().filter(conversation_id=conversation_pk)
    return running.exclude(process=lease.local.key).exists()


local = OtherProcesses(hub, lambda: replies.local)
"""Reaches out from this process."""
