"""What people allow models to do with tools: for one call, or for a whole conversation."""

from django.db import models
from django.utils.timezone import now

from conversations.models.conversation import Conversation
from conversations.models.generation import Generation
from tools.models import Tool


class Decision(models.TextChoices):
    ALLOWED = "allowed"
    REFUSED = "refused"


class ToolApproval(models.Model):
    """The approval that a call needs by the person who asked. `use_id` is the id of its `tool_use` block.

    Calls that need no approval have no row.
    """

    generation = models.ForeignKey(Generation, models.CASCADE, related_name="tool_approvals")
    use_id = models.CharField(max_length=200)
    decision = models.CharField(max_length=10, choices=Decision, blank=True)
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["generation", "use_id"], name="tool_call_once")]

    def __str__(self) -> str:
        return f"{self.use_id} of {self.generation_id}"


class ToolGrant(models.Model):
    """A person's standing approval of a tool in a conversation, for answers to that person."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="tool_grants")
    person = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    tool = models.ForeignKey(Tool, models.CASCADE, related_name="+")
    granted_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "person", "tool"], name="tool_granted_once")]

    def __str__(self) -> str:
        return f"{self.tool} in {self.conversation}"
