"""A file that goes with a message: what it is, whose, where its bytes are, and who may see it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self
from uuid import UUID, uuid4

from django.contrib.auth.models import AnonymousUser
from django.core.files.storage import default_storage
from django.db import models
from django.db.models import Max, Q, Sum
from django.utils.timezone import now

from accounts.models import User
from conversations.inspection import Kind
from conversations.models.conversation import Conversation

THUMBNAIL, TEXT = "-thumbnail", "-text"
"""What is added to the stored name for the files that belong to it."""

SHOWN_WIDTH, SHOWN_HEIGHT = 320, 240
"""CSS pixels that a thumbnail has at most."""


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def visible_to(self, person: User | AnonymousUser) -> Self:
        """Sent ones to those who see the conversation, until their message is deleted; drafts to their owner alone."""
        conversations = Conversation.objects.visible_to(person)
        sent = Q(message__isnull=False, message__deleted_at=None, conversation__in=conversations)
        begun = Q(conversation=None) | Q(conversation__in=conversations)
        return self.filter(sent | (Q(message=None, owner=person.pk) & begun if person.is_active else Q(pk=None)))

    def drafts_of(self, person: User, conversation: Conversation | None) -> Self:
        """What somebody has attached and not sent, in the order in which it was attached."""
        return self.filter(owner=person.pk, conversation=conversation, message=None).order_by("pk")

    def size_of_all(self, person: User) -> int:
        """Bytes that somebody's files take up; copies share one."""
        files = self.filter(owner=person.pk).order_by().values("stored").annotate(once=Max("size"))
        return files.aggregate(all=Sum("once"))["all"] or 0

    def referred_to_by(self, blocks: Iterable[Mapping[str, Any]]) -> "dict[str, Attachment]":
        """The attachments that blocks stand for, by the id that stands in the block."""
        ids = {reference for block in with_results(blocks) if (reference := reference_in(block))}
        return {str(each.uuid): each for each in self.filter(uuid__in=ids)} if ids else {}

    def copied(self, blocks: Iterable[dict[str, Any]]) -> "tuple[list[dict[str, Any]], list[Attachment]]":
        """The blocks, referring to copies of what they refer to, and the copies, which are not saved yet."""
        blocks = list(blocks)
        copies = {key: each.copy() for key, each in self.referred_to_by(blocks).items()}

        def copied(block: Mapping[str, Any]) -> Mapping[str, Any]:
            key = reference_in(block)
            return copies[str(key)].reference if key and str(key) in copies else block

        return [dict(changed_within(block, copied)) for block in blocks], list(copies.values())


class Attachment(models.Model):
    """`conversation` is null on the first page, `message` until it is sent. Copies share one stored file."""

    KINDS = [(Kind.IMAGE.value, "image"), (Kind.PDF.value, "PDF"), (Kind.TEXT.value, "text")]

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    owner = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    conversation = models.ForeignKey(Conversation, models.CASCADE, null=True, related_name="attachments")
    message = models.ForeignKey("conversations.Message", models.CASCADE, null=True, related_name="attachments")
    kind = models.CharField(max_length=10, choices=KINDS)
    name = models.CharField(max_length=120)
    media_type = models.CharField(max_length=40)
    size = models.PositiveIntegerField()
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    pages = models.PositiveIntegerField(null=True)
    is_text_whole = models.BooleanField(default=True)
    stored = models.CharField("stored as", max_length=100)
    created_at = models.DateTimeField(default=now, editable=False)

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["owner", "conversation"], condition=Q(message=None), name="attachment_drafts"),
            models.Index(fields=["stored"], name="attachment_stored"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_image(self) -> bool:
        return self.kind == Kind.IMAGE

    @property
    def reference(self) -> dict[str, Any]:
        """The block that stands for it in a message: all that drawing it needs, and nothing of its content."""
        block: dict[str, Any] = {
            "type": "image" if self.is_image else "document",
            "source": {"type": "attachment", "id": str(self.uuid)},
            "name": self.name,
            "kind": self.kind,
            "size": self.size,
        }
        figures = {"width": self.width, "height": self.height, "pages": self.pages}
        return block | {name: figure for name, figure in figures.items() if figure is not None}

    def copy(self) -> "Attachment":
        """Another one, not saved yet, with the same stored file: for a message that says the same again."""
        fields = ("owner_id", "kind", "name", "media_type", "size", "width", "height", "pages", "is_text_whole")
        return Attachment(stored=self.stored, **{name: getattr(self, name) for name in fields})

    def content(self, part: str = "") -> bytes:
        """Raises FileNotFoundError when the file is gone."""
        with default_storage.open(self.stored + part) as file:
            content: bytes = file.read()
        return content

    @property
    def files(self) -> Iterator[str]:
        return (self.stored + part for part in ("", THUMBNAIL, TEXT))


def with_results(blocks: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The blocks, and those that the results of tools hold."""
    for block in blocks:
        yield block
        if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
            yield from block["content"]


def changed_within(
    block: Mapping[str, Any], change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """What `change` makes of a block, or of those that it holds as the result of a tool."""
    if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
        return {**block, "content": [change(each) for each in block["content"]]}
    return change(block)


def reference_in(block: Mapping[str, Any]) -> UUID | None:
    """The attachment that a block stands for."""
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") != "attachment":
        return None
    try:
        return UUID(str(source.get("id")))
    except ValueError:
        return None
