"""Adds messages to a conversation, and the replies to them.

Callers need a transaction that has advanced the conversation, and announce the changes themselves.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils.timezone import now

from accounts.models import User
from conversations.models import Attachment, Branch, Generation, Message, Participant, Path, Role
from conversations.models.message import text_block
from upstreams.models import ChatModel


def add_turn(
    path: Path,
    author: User,
    text: str,
    chat_model: ChatModel | None,
    key: UUID | None = None,
    attached: Sequence[Attachment] = (),
) -> Generation:
    """Adds a person's message and the reply to it at the end of a path. Returns the reply's generation.

    Reads the title of the conversation again.
    """
    path.conversation.advance(branch=path.branch, chat_model=chat_model, title=F("title"))
    said = add_message(path.branch, path.find_last_key(), author=author, text=text, key=key, attached=attached)
    generation = queue_reply(path.branch, said.pk, chat_model, author)
    # Nothing else can follow a new message, so no query is needed.
    reply = generation.message
    reply.parent, reply.versions = said, [reply]
    return generation


def fork_branch(message: Message, chat_model: ChatModel | None) -> Branch:
    """Begins a branch for another message in place of this one. The conversation continues on it."""
    conversation = message.conversation
    conversation.advance()
    # Every version shows how many there are, so all of them change.
    conversation.messages.filter(parent=message.parent_id).update(revision=conversation.revision)
    before = message.parent
    conversation.branch = conversation.branches.create(parent=before.branch if before else None, fork_after=before)
    conversation.chat_model = chat_model
    conversation.save(update_fields=["branch", "chat_model"])
    return conversation.branch


def add_message(
    branch: Branch,
    after: int | None,
    *,
    text: str | None = None,
    attached: Sequence[Attachment] = (),
    **fields: Any,
) -> Message:
    """Adds a message at the end of a branch. The attachments belong to it from now on.

    With `text`, it is a person's message: its blocks are the attachments followed by the text.
    """
    conversation = branch.conversation
    if text is not None:
        words = [text_block(text)] if text or not attached else []
        fields |= {"role": Role.USER, "blocks": [*(each.reference for each in attached), *words]}
    fields |= {"revision": conversation.revision, "shown_since": conversation.revision}
    message = Message.objects.create(conversation=conversation, branch=branch, parent_id=after, **fields)
    for each in attached:
        each.conversation, each.message = conversation, message
        each.save()
    message.generation = None
    return message


def queue_reply(branch: Branch, after: int | None, chat_model: ChatModel | None, asked_by: User | None) -> Generation:
    """Adds an empty reply and the generation that will write it. Moves the conversation up in all lists."""
    conversation = branch.conversation
    reply = add_message(branch, after, role=Role.ASSISTANT)
    Participant.objects.filter(conversation=conversation).update(active_at=now())
    generation = Generation.objects.create(
        conversation=conversation, message=reply, asked_by=asked_by, **Generation.model_fields(chat_model)
    )
    reply.generation = generation
    return generation
