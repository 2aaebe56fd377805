"""One message: what a person said, or the reply that a generation writes."""

from collections.abc import Mapping
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.functional import cached_property
from django.utils.timezone import now

from conversations.models.branch import Branch
from conversations.models.conversation import Conversation
from conversations.models.deletion import final_before
from conversations.models.generation import UNFINISHED, Generation, State
from conversations.models.verbatim import VerbatimJSONField


class Role(models.TextChoices):
    USER = "user"
    ASSISTANT = "assistant"


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


class MessageQuerySet(models.QuerySet["Message"]):
    def for_reading(self) -> Self:
        """With everything that drawing them needs, in a fixed number of queries."""
        replies = Message.objects.filter(deleted_at=None).only("pk", "parent", "branch").order_by("pk")
        latest = Generation.objects.filter(message=OuterRef("pk")).order_by("-pk")
        read = self.annotate(state_read=models.Subquery(latest.values("state")[:1]))
        return read.select_related("author").prefetch_related(
            models.Prefetch("generations", Generation.objects.for_reading()),
            models.Prefetch("parent", Message.objects.only("pk")),
            models.Prefetch("parent__replies", replies),
        )

    def restorable(self) -> Self:
        """Deleted, and not for good yet."""
        return self.filter(deleted_at__gte=final_before())

    def with_a_place(self) -> Self:
        """Those not deleted, and of the deleted ones those whose other versions can be read instead."""
        others = Message.objects.filter(conversation=OuterRef("conversation"), deleted_at=None)
        beside = Exists(others.filter(parent=OuterRef("parent")))
        beside_the_first = Q(parent=None) & Exists(others.filter(parent=None))
        return self.filter(Q(deleted_at=None) | beside | beside_the_first)


class Message(models.Model):
    """Ordered by primary key: it is given out inside the transaction that holds the conversation's row.

    `blocks` have the shapes of the Messages API and are kept verbatim, signatures included.
    """

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    branch = models.ForeignKey(Branch, models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="replies")
    role = models.CharField(max_length=10, choices=Role)
    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    blocks = VerbatimJSONField(default=list)
    revision = models.PositiveIntegerField(default=0, editable=False)
    shown_since = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    key = models.UUIDField(null=True, editable=False)
    """Of the form it was written in: a turn that is sent twice is posted once."""
    memory_begins = models.BooleanField(default=False, editable=False)
    """Models are told nothing of what stands before it on a path; of several such messages the last counts."""

    state_read: str | None = None
    """The state of its generation when its words were read, where both were read together."""

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["author", "key"], name="turn_posted_once")]
        indexes = [
            models.Index(fields=["conversation", "parent"], name="message_versions"),
            models.Index(fields=["conversation", "id"], name="message_in_order"),
            models.Index(fields=["conversation", "revision"], name="message_changed"),
            models.Index(fields=["deleted_at"], condition=~Q(deleted_at=None), name="message_deleted"),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.pk}"

    @cached_property
    def generation(self) -> Generation | None:
        """The latest attempt to write it; a person's message has none."""
        latest = max(self.generations.all(), key=lambda generation: generation.pk, default=None)
        if latest and self.state_read in UNFINISHED and not latest.is_unfinished:
            # It ended after the words were read: without its last words it must not be taken for a whole answer.
            latest.state, latest.finished_at = State(self.state_read), None
        return latest

    @cached_property
    def versions(self) -> "list[Message]":
        """All that take this place on one branch or another, itself included, without deleted ones, oldest first."""
        if self.parent_id and Message.parent.is_cached(self) and self.parent:
            return list(self.parent.replies.all())
        versions = Message.objects.filter(conversation=self.conversation_id, parent=self.parent_id, deleted_at=None)
        return list(versions.only("pk", "parent", "branch").order_by("pk"))

    @property
    def number(self) -> int:
        """Its place among its versions, from 1."""
        return next((n for n, version in enumerate(self.versions, 1) if version.pk == self.pk), 1)

    @property
    def previous_version(self) -> "Message | None":
        return next((version for version in reversed(self.versions) if version.pk < self.pk), None)

    @property
    def next_version(self) -> "Message | None":
        return next((version for version in self.versions if version.pk > self.pk), None)

    def mark_changed(self) -> None:
        """Gives the message a new revision. Belongs in a transaction."""
        self.revision = self.conversation.advance()
        self.save(update_fields=["revision"])

    def instead(self) -> "Message | None":
        """What there is to read in its place, when nothing follows it that would be left behind."""
        follows = self.replies.filter(deleted_at=None).exists()
        return None if follows else self.previous_version or self.next_version

    @property
    def can_continue(self) -> bool:
        """An answer cut by its length, by a stop or by a fault, with something to go on from."""
        cut = self.generation is not None and self.generation.was_cut
        return cut and (bool(self.text.strip()) or self.ends_in_tools)

    @property
    def ends_in_tools(self) -> bool:
        """It was cut at a call of a tool, or before the model had said anything about what came back."""
        return bool(self.blocks) and self.blocks[-1].get("type") in ("tool_use", "tool_result")

    @property
    def state(self) -> str:
        return self.generation.state if self.generation else State.COMPLETE

    @property
    def text(self) -> str:
        """What it says, as Markdown: text blocks only, a blank line between them."""
        return "\n\n".join(block["text"] for block in self.blocks if is_text(block))


def is_text(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)
