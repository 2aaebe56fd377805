"""Purges conversations and messages that can no longer be restored, in small batches."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast

from conversations import uploads
from conversations.models import Attachment, Branch, Conversation, Generation, Message
from conversations.models.deletion import final_before
from conversations.models.generation import UNFINISHED

BATCH = 100
"""Messages that one transaction deletes: other writers wait for it."""


def purge() -> bool:
    """Deletes one batch and its files. Returns whether there may be more."""
    before = final_before()
    if conversation := Conversation.objects.filter(deleted_at__lt=before).order_by("pk").first():
        purge_conversation(conversation)
        return True
    return purge_messages(before)


def purge_conversation(conversation: Conversation) -> None:
    """Deletes the latest messages first, so that every other one keeps its parent. The last batch takes the rest."""
    latest = list(conversation.messages.order_by("-pk").values_list("pk", flat=True)[:BATCH])
    is_last_batch = len(latest) < BATCH
    with transaction.atomic():
        uploads.remove(conversation.attachments.filter(Q(message__in=latest) | Q(message=None)))
        Message.objects.filter(pk__in=latest).delete()
        if is_last_batch:
            conversation.delete()


def purge_messages(before: datetime) -> bool:
    """Purges deleted messages of conversations that remain. A message that others follow loses only its content."""
    deleted = Message.objects.filter(deleted_at__lt=before).exclude(generations__state__in=UNFINISHED)
    if ends := first_keys(ends_of(deleted)):
        purge_ends(deleted.filter(pk__in=ends))
        return True
    if followed := first_keys(with_content(deleted)):
        with transaction.atomic():
            uploads.remove(Attachment.objects.filter(message__in=followed))
            Generation.objects.filter(message__in=followed).delete()
            Message.objects.filter(pk__in=followed).update(blocks=[], author=None, key=None)
    return bool(followed)


@transaction.atomic
def purge_ends(messages: "QuerySet[Message]") -> None:
    # A new turn follows the last message of its branch, even a deleted one, so no turn may be added meanwhile.
    list(Conversation.objects.select_for_update().filter(pk__in=messages.values("conversation")).values_list("pk"))
    ends = first_keys(ends_of(messages))
    uploads.remove(Attachment.objects.filter(message__in=ends))
    Message.objects.filter(pk__in=ends).delete()


def ends_of(deleted: "QuerySet[Message]") -> "QuerySet[Message]":
    """The messages without followers, from which nobody can reach another version."""
    followers = Message.objects.filter(parent=OuterRef("pk"))
    forks = Branch.objects.filter(fork_after=OuterRef("pk"))
    leading = Message.objects.with_versions().filter(pk=OuterRef("pk"))
    return deleted.filter(~Exists(followers), ~Exists(forks), ~Exists(leading))


def with_content(deleted: "QuerySet[Message]") -> "QuerySet[Message]":
    generations = Generation.objects.filter(message=OuterRef("pk"))
    attachments = Attachment.objects.filter(message=OuterRef("pk"))
    # As text: PostgreSQL cannot compare values of type json.
    written = deleted.alias(written=Cast("blocks", TextField()))
    return written.filter(~Q(written="[]") | Exists(generations) | Exists(attachments))


def first_keys(messages: "QuerySet[Message]") -> list[int]:
    return list(messages.order_by("-pk").values_list("pk", flat=True)[:BATCH])
