"""Deleting a message, and restoring it."""

from django.db import transaction
from django.utils.timezone import now

from conversations.answering import elsewhere
from conversations.live import broadcasts
from conversations.models import Conversation, Message


def delete(message: Message) -> Message | None:
    """Hides a message from people and models. It can be restored.

    Returns the version to read instead, unless messages follow this one on its branch.
    """
    alternative = message.find_alternative()
    set_deleted(message, is_deleted=True)
    if alternative:
        on_branch = Conversation.objects.filter(pk=message.conversation_id, branch=message.branch_id)
        on_branch.update(branch=alternative.branch_id)
    return alternative


def restore(message: Message) -> None:
    set_deleted(message, is_deleted=False)


def set_deleted(message: Message, *, is_deleted: bool) -> None:
    conversation = message.conversation
    with transaction.atomic():
        conversation.advance()
        message.deleted_at = now() if is_deleted else None
        message.revision = conversation.revision
        if not is_deleted:
            message.shown_since = conversation.revision
        message.save(update_fields=["deleted_at", "revision", "shown_since"])
        versions = conversation.messages.filter(parent=message.parent_id)
        versions.update(revision=conversation.revision)
        if not is_deleted:
            # While all versions were deleted, pages showed nothing in their place.
            versions.exclude(deleted_at=None).update(shown_since=conversation.revision)
    elsewhere.local.apply_deletion(message)
    broadcasts.announce_revision(conversation)
