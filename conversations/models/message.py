"""One message: what a person said, or the reply that a generation writes."""

from collections.abc import Mapping
from typing import Any, Self

from django.db import models
from django.utils.functional import cached_property
from django.utils.timezone import now

from conversations.models.conversation import Conversation
from conversations.models.generation import Generation, State


class Role(models.TextChoices):
    USER = "user"
    ASSISTANT = "assistant"


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


class MessageQuerySet(models.QuerySet["Message"]):
    def for_reading(self) -> Self:
        """With everything that drawing them needs, in a fixed number of queries."""
        generations = Generation.objects.select_related("chat_model__provider").order_by("pk")
        return self.select_related("author").prefetch_related(models.Prefetch("generations", generations))


class Message(models.Model):
    """Ordered by primary key: it is given out inside the transaction that holds the conversation's row.

    `blocks` have the shapes of the Messages API and are kept verbatim, signatures included.
    """

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    role = models.CharField(max_length=10, choices=Role)
    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    blocks = models.JSONField(default=list)
    revision = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["conversation", "id"], name="message_in_order"),
            models.Index(fields=["conversation", "revision"], name="message_changed"),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.pk}"

    @cached_property
    def generation(self) -> Generation | None:
        """The latest attempt to write it; a person's message has none."""
        return max(self.generations.all(), key=lambda generation: generation.pk, default=None)

    @property
    def state(self) -> str:
        return self.generation.state if self.generation else State.COMPLETE

    @property
    def text(self) -> str:
        """What it says, as Markdown: text blocks only, a blank line between them."""
        return "\n\n".join(block["text"] for block in self.blocks if is_text(block))


def is_text(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and isinstance(block.get("text"), str)
