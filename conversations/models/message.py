"""A message: what a person said, or the reply that a generation writes."""

from collections.abc import Mapping
from typing import Any, Final, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.functional import cached_property
from django.utils.timezone import now

from accounts.models import User
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
        """With all that rendering needs, in a fixed number of queries."""
        replies = Message.objects.filter(deleted_at=None).only("pk", "parent", "branch").order_by("pk")
        latest = Generation.objects.filter(message=OuterRef("pk")).order_by("-pk")
        read = self.annotate(state_read=models.Subquery(latest.values("state")[:1]))
        return read.select_related("author").prefetch_related(
            models.Prefetch("generations", Generation.objects.for_reading(), to_attr="attempts"),
            models.Prefetch("parent", Message.objects.only("pk")),
            models.Prefetch("parent__replies", replies),
        )

    def for_prompt(self) -> Self:
        """With all that a request to a model needs, in a fixed number of queries."""
        attempts = Generation.objects.prefetch_related("chat_model").order_by("pk")
        return self.prefetch_related("author", models.Prefetch("generations", attempts, to_attr="attempts"))

    def restorable(self) -> Self:
        """Deleted messages that can still be restored."""
        return self.filter(deleted_at__gte=final_before())

    def restorable_by(self, person: User) -> Self:
        """Those that the person may restore: their own, and all in conversations that they own."""
        is_owned = Q(conversation__in=Conversation.objects.owned_by(person))
        seen = self.restorable().filter(conversation__in=Conversation.objects.visible_to(person))
        return seen.filter(Q(author=person) | is_owned)

    def with_versions(self) -> Self:
        """Messages that are not deleted, and deleted ones that have another version to read."""
        others = Message.objects.filter(conversation=OuterRef("conversation"), deleted_at=None)
        beside = Exists(others.filter(parent=OuterRef("parent")))
        beside_the_first = Q(parent=None) & Exists(others.filter(parent=None))
        return self.filter(Q(deleted_at=None) | beside | beside_the_first)


class Message(models.Model):
    """Messages are ordered by primary key, which is assigned while the conversation is locked.

    `blocks` have the shapes of the Messages API and are stored verbatim, signatures included.
    """

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages", db_index=False)
    branch = models.ForeignKey(Branch, models.CASCADE, related_name="messages", db_index=False)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="replies")
    role = models.CharField(max_length=10, choices=Role)
    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    blocks = VerbatimJSONField(default=list)
    revision = models.PositiveIntegerField(default=0, editable=False)
    shown_since = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    key = models.UUIDField(null=True, editable=False)
    """The key of the form that posted it, so that a turn sent twice is posted once."""
    memory_begins = models.BooleanField(default=False, editable=False)
    """The context of models starts at this message. If a path has several such messages, the last one counts."""

    attempts: list[Generation]
    """Its generations, oldest first. Set only when prefetched. No default, which Django would take for loaded."""
    state_read: str | None = None
    """The state of its generation, if it was read in the same query as the blocks."""

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["author", "key"], name="turn_posted_once")]
        indexes = [
            models.Index(fields=["conversation", "parent"], name="message_versions"),
            models.Index(fields=["conversation", "id"], name="message_in_order"),
            models.Index(fields=["conversation", "revision"], name="message_changed"),
            models.Index(fields=["branch", "id"], name="message_on_branch"),
            models.Index(fields=["deleted_at"], condition=~Q(deleted_at=None), name="message_deleted"),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.pk}"

    @cached_property
    def generation(self) -> Generation | None:
        """The latest attempt to write it, or None for a person's message."""
        attempts = self.attempts if hasattr(self, "attempts") else list(self.generations.order_by("pk"))
        latest = attempts[-1] if attempts else None
        if latest and self.state_read in UNFINISHED and not latest.is_unfinished:
            # It ended after the blocks were read. They lack its last words, so they must not count as complete.
            latest.state, latest.finished_at = State(self.state_read), None
        return latest

    @cached_property
    def versions(self) -> "list[Message]":
        """The messages with the same predecessor, on any branch, without deleted ones, oldest first."""
        if self.parent_id and Message.parent.is_cached(self) and self.parent:
            return list(self.parent.replies.all())
        versions = Message.objects.filter(conversation=self.conversation_id, parent=self.parent_id, deleted_at=None)
        return list(versions.only("pk", "parent", "branch").order_by("pk"))

    @property
    def number(self) -> int:
        """Its position among its versions, from 1."""
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

    def find_alternative(self) -> "Message | None":
        """The version to read instead of it, or None if messages follow it on its branch."""
        follows = self.replies.filter(deleted_at=None).exists()
        return None if follows else self.previous_version or self.next_version

    @property
    def can_continue(self) -> bool:
        """Whether the answer was cut off by its length, a stop or a failure, and has something to continue from."""
        cut = self.generation is not None and self.generation.was_cut
        return cut and (bool(self.text.strip()) or self.ends_in_tools)

    @property
    def ends_in_tools(self) -> bool:
        """Whether it was cut off at a tool call, or before the model had used the result."""
        return ends_in_tools(blocks_to_continue(self.blocks))

    @property
    def state(self) -> str:
        return self.generation.state if self.generation else State.COMPLETE

    @property
    def text(self) -> str:
        """Its text blocks as Markdown, with a blank line between them."""
        return "\n\n".join(block["text"] for block in self.blocks if is_text(block))


TOOL_TYPES: Final = ("tool_use", "tool_result")


def is_text(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)


def blocks_to_continue(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the blocks up to the last text, image or tool, without white space at the end, which upstreams refuse.

    Unfinished thinking cannot be sent back.
    """
    left = [dict(block) for block in blocks]
    while left and left[-1].get("type") not in (*TOOL_TYPES, "image"):
        if is_text(left[-1]) and (text := left[-1]["text"].rstrip()):
            left[-1]["text"] = text
            break
        left.pop()
    return left


def ends_in_tools(blocks: list[dict[str, Any]]) -> bool:
    return bool(blocks) and blocks[-1].get("type") in TOOL_TYPES
