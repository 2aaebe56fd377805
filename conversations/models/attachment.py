"""A file that is attached to a message."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Self
from uuid import UUID, uuid4

from django.contrib.auth.models import AnonymousUser
from django.core.files.storage import default_storage
from django.db import models
from django.db.models import Max, Q, Sum
from django.utils.timezone import now

from accounts.models import User
from conversations.inspection import ENCODINGS, Kind
from conversations.models.conversation import Conversation

THUMBNAIL, TEXT, ORIGINAL = "-thumbnail", "-text", "-original"
"""Suffixes that the stored name gets for an attachment's other files."""
OTHER_FILES = (THUMBNAIL, TEXT, ORIGINAL)

PREVIEWED = 20_000
"""Bytes of a text in which `first_words` looks."""

THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT = 320, 240
"""The maximum size of a thumbnail on a page, in CSS pixels."""
ANSWERED_IMAGE = 480
"""The maximum width and height of an image in a model's answer."""


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def visible_to(self, person: User | AnonymousUser) -> Self:
        """Drafts are visible to their owner. Sent files are visible to participants until the message is deleted."""
        conversations = Conversation.objects.visible_to(person)
        sent = Q(message__isnull=False, message__deleted_at=None, conversation__in=conversations)
        own = Q(message=None, owner=person.pk) & (Q(conversation=None) | Q(conversation__in=conversations))
        return self.filter(sent | (own if person.is_active else Q(pk=None)))

    def drafts_of(self, person: User, conversation: Conversation | None) -> Self:
        """The files that the person has attached and not sent, in order."""
        return self.filter(owner=person.pk, conversation=conversation, message=None).order_by("pk")

    def total_size(self, person: User) -> int:
        """The size of all files of a person, in bytes. A file that copies share counts once."""
        files = self.filter(owner=person.pk).order_by().values("stored").annotate(once=Max("size"))
        return files.aggregate(all=Sum("once"))["all"] or 0

    def find_referenced(self, blocks: Iterable[Mapping[str, Any]]) -> "dict[str, Attachment]":
        """The attachments that blocks refer to, by the id in the block."""
        ids = {reference for block in flatten_results(blocks) if (reference := reference_in(block))}
        return {str(each.uuid): each for each in self.filter(uuid__in=ids)} if ids else {}

    def copy_referenced(self, blocks: Iterable[dict[str, Any]]) -> "tuple[list[dict[str, Any]], list[Attachment]]":
        """Copies all attachments that blocks refer to. Returns the blocks for the copies, and the unsaved copies."""
        blocks = list(blocks)
        copies = {key: each.copy() for key, each in self.find_referenced(blocks).items()}

        def refer_to_copy(block: Mapping[str, Any]) -> Mapping[str, Any]:
            key = reference_in(block)
            return copies[str(key)].reference if key and str(key) in copies else block

        return [dict(map_block(block, refer_to_copy)) for block in blocks], list(copies.values())


class Attachment(models.Model):
    """A draft has no message, and no conversation on the home page. Copies share one stored file."""

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
    encoding = models.CharField(max_length=20, default="", blank=True, editable=False)
    """The guessed encoding of the original file; "" if there was nothing to guess."""
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

    encodings = ENCODINGS

    @property
    def encoding_name(self) -> str:
        return ENCODINGS.get(self.encoding, self.encoding)

    @property
    def first_words(self) -> str:
        """The line that shows best whether the encoding is right: the first one that is not ASCII, if there is one."""
        try:
            lines = self.read_content()[:PREVIEWED].decode(errors="ignore").strip().splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in lines if not line.isascii()), lines[0] if lines else "")[:80]

    @property
    def reference(self) -> dict[str, Any]:
        """The block that refers to it in a message: everything that rendering needs, without the content."""
        block: dict[str, Any] = {
            "type": "image" if self.is_image else "document",
            "source": {"type": "attachment", "id": str(self.uuid)},
            "name": self.name,
            "kind": self.kind,
            "size": self.size,
        }
        figures = {"width": self.width, "height": self.height, "pages": self.pages}
        if self.encoding:
            block["encoding"] = self.encoding_name
        return block | {name: figure for name, figure in figures.items() if figure is not None}

    def copy(self) -> "Attachment":
        """An unsaved attachment with the same stored file, for another message."""
        facts = (
            "owner_id",
            "kind",
            "name",
            "media_type",
            "size",
            "width",
            "height",
            "pages",
            "is_text_whole",
            "encoding",
        )
        return Attachment(stored=self.stored, **{name: getattr(self, name) for name in facts})

    def read_content(self, part: str = "") -> bytes:
        """Raises FileNotFoundError if the file is missing, or another OSError if the store is."""
        with default_storage.open(self.stored + part) as file:
            content: bytes = file.read()
        return content

    @property
    def files(self) -> Iterator[str]:
        return (self.stored + part for part in ("", *OTHER_FILES))


def flatten_results(blocks: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yields the blocks, and the blocks within tool results."""
    for block in blocks:
        yield block
        if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
            yield from block["content"]


def map_block(block: Mapping[str, Any], change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Applies `change` to a block, or to the blocks within it if it is a tool result."""
    if block.get("type") == "tool_result" and isinstance(block.get("content"), list):
        return {**block, "content": [change(each) for each in block["content"]]}
    return change(block)


def reference_in(block: Mapping[str, Any]) -> UUID | None:
    """The id of the attachment that a block refers to."""
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") != "attachment":
        return None
    try:
        return UUID(str(source.get("id")))
    except ValueError:
        return None
