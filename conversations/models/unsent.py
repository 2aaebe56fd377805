"""Text that a person has typed and not sent, kept in case the tab closes."""

from django.db import connection, models
from django.db.models import Q

from accounts.models import User
from conversations.models.conversation import Conversation


def lock_unsent(person: User) -> None:
    """Locks the person's unsent texts until the transaction ends: none can be saved while its turn is being posted.

    Lock them before the conversation. SQLite has one writer anyway.
    """
    if connection.features.has_select_for_update:
        list(User.objects.select_for_update(no_key=True).filter(pk=person.pk).values_list("pk"))


class Unsent(models.Model):
    """One text for each person and conversation. Without a conversation, it belongs to the home page."""

    person = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, models.CASCADE, null=True, related_name="+")
    text = models.TextField()
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "conversation"], name="unsent_once"),
            models.UniqueConstraint(
                fields=["person"], condition=Q(conversation=None), name="unsent_once_without_conversation"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.text[:40]}"
