"""Answers that are cut off."""

from collections.abc import Iterable

from conversations.models import Conversation, Message, State
from tests.conversations.talking import ask_and_wait
from tests.fakes import ModelServer
from tests.steps import Abort, Step
from tests.viewers import Viewer
from tests.wires import is_text, reply_wire


def broken_reply(server: ModelServer, *pieces: str) -> Iterable[Step]:
    """The beginning of a reply, after which the connection breaks."""
    wire = reply_wire(server.protocol, pieces)
    last = max(index for index, event in enumerate(wire) if is_text(event))
    return [*wire[: last + 1], Abort()]


async def ask_and_cut(tab: Viewer, conversation: Conversation, server: ModelServer, *pieces: str) -> int:
    """Asks, and gets only part of an answer. Returns its message."""
    server.forget()
    server.stream(*broken_reply(server, *pieces))
    reply = await ask_and_wait(tab, conversation, "Well?")
    assert reply.state == State.INTERRUPTED
    server.forget()
    return reply.message_id


async def saved_text(message: int) -> str:
    """The text of a message in the database."""
    return (await Message.objects.aget(pk=message)).text
