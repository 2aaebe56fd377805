"""What was deleted goes for good once it cannot be put back any more, a little at a time."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from conversations import uploads
from conversations.models import Attachment, Branch, Conversation, Generation, Message
from conversations.models.deletion import final_before
from conversations.models.generation import UNFINISHED

BATCH = 100
"""Messages that one transaction deletes: others who write wait for it."""


def purge() -> bool:
    """Deletes some of what there is to delete, files included. Returns whether there may be more."""
    before = final_before()
    if conversation := Conversation.objects.filter(deleted_at__lt=before).order_by("pk").first():
        purge_conversation(conversation)
        return True
    return purge_messages(before)


def purge_conversation(conversation: Conversation) -> None:
    """Its latest messages, so that none is left without what it followed; with the last of them, all of it."""
    latest = list(conversation.messages.order_by("-pk").values_list("pk", flat=True)[:BATCH])
    is_all = len(latest) < BATCH
    with transaction.atomic():
        uploads.remove(conversation.attachments.filter(Q(message__in=latest) | Q(message=None)))
        Message.objects.filter(pk__in=latest).delete()
        if is_all:
            conversation.delete()


def purge_messages(before: datetime) -> bool:
    """Deleted ones of conversations that are still there. What others follow stays as an empty place."""
    deleted = Message.objects.filter(deleted_at__lt=before).exclude(generations__state__in=UNFINISHED)
    if ends := keys(ends_of(deleted)):
        purge_ends(deleted.filter(pk__in=ends))
        return True
    if places := keys(still_saying(deleted)):
        with transaction.atomic():
            uploads.remove(Attachment.objects.filter(message__in=places))
            Generation.objects.filter(message__in=places).delete()
            Message.objects.filter(pk__in=places).update(blocks=[], author=None, key=None)
    return bool(places)


@transaction.atomic
def purge_ends(messages: "QuerySet[Message]") -> None:
    # Somebody may just be speaking at the end of a branch: what they say follows its last message, deleted or not.
    list(Conversation.objects.select_for_update().filter(pk__in=messages.values("conversation")).values_list("pk"))
    ends = keys(ends_of(messages))
    uploads.remove(Attachment.objects.filter(message__in=ends))
    Message.objects.filter(pk__in=ends).delete()


def ends_of(deleted: "QuerySet[Message]") -> "QuerySet[Message]":
    """Those that nothing follows, and whose place leads to no other version."""
    followers = Message.objects.filter(parent=OuterRef("pk"))
    forks = Branch.objects.filter(fork_after=OuterRef("pk"))
    leading = Message.objects.with_a_place().filter(pk=OuterRef("pk"))
    return deleted.filter(~Exists(followers), ~Exists(forks), ~Exists(leading))


def still_saying(deleted: "QuerySet[Message]") -> "QuerySet[Message]":
    generations = Generation.objects.filter(message=OuterRef("pk"))
    attachments = Attachment.objects.filter(message=OuterRef("pk"))
    return deleted.filter(~Q(blocks=[]) | Exists(generations) | Exists(attachments))


def keys(messages: "QuerySet[Message]") -> list[int]:
    return list(messages.order_by("-pk").values_list("pk", flat=True)[:BATCH])
