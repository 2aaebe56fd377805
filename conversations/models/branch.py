"""A conversation is a tree of branches."""

from django.db import models
from django.utils.timezone import now


class Branch(models.Model):
    """A line of messages. It continues after `fork_after`, a message of its `parent`; the first one has neither.

    A branch that begins with an edit of the very first message has no parent either.
    """

    conversation = models.ForeignKey("conversations.Conversation", models.CASCADE, related_name="branches")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="+")
    fork_after = models.ForeignKey("conversations.Message", models.CASCADE, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return f"Branch {self.pk}"
