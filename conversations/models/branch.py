"""A conversation as a tree of branches, and one way through it from the first message to a branch's end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

if TYPE_CHECKING:
    from conversations.models.message import MessageQuerySet


class Branch(models.Model):
    """A line of messages. It goes on from `fork_after`, a message of its `parent`; the first has neither.

    An edit of the very first message also begins a branch without a parent.
    """

    conversation = models.ForeignKey("conversations.Conversation", models.CASCADE, related_name="branches")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="+")
    fork_after = models.ForeignKey("conversations.Message", models.CASCADE, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return f"Branch {self.pk}"


@dataclass(frozen=True, slots=True)
class Path:
    """What somebody on a branch reads: the branch, and of each ancestor what stands before the fork.

    `limits` maps a branch's key to the last message of it that is on the path; None: to its end.
    """

    branch: Branch
    limits: Mapping[int, int | None]

    @classmethod
    def to(cls, branch: Branch) -> "Path":
        """Two queries at most, however deep the branch lies."""
        limits: dict[int, int | None] = {branch.pk: None}
        if branch.parent_id:
            rows = Branch.objects.filter(conversation_id=branch.conversation_id)
            forks = {pk: (parent, after) for pk, parent, after in rows.values_list("pk", "parent_id", "fork_after_id")}
            at: int | None = branch.pk
            while at is not None:
                parent, after = forks[at]
                if parent is not None:
                    limits[parent] = after
                at = parent
        return cls(branch, limits)

    def includes(self, branch_pk: int, message_pk: int) -> bool:
        if branch_pk not in self.limits:
            return False
        limit = self.limits[branch_pk]
        return limit is None or message_pk <= limit

    @property
    def messages(self) -> "MessageQuerySet":
        """Those not deleted, in their order."""
        return self.all_messages.filter(deleted_at=None)

    @property
    def all_messages(self) -> "MessageQuerySet":
        """Deleted ones included."""
        from conversations.models.message import Message

        on_path = Q()
        for branch_pk, limit in self.limits.items():
            on_path |= Q(branch=branch_pk) if limit is None else Q(branch=branch_pk, pk__lte=limit)
        return Message.objects.filter(on_path, conversation=self.branch.conversation_id)

    def remembered(self, before: int | None = None) -> "MessageQuerySet":
        """Those that models are told of; `before` is the key of the one that is to be written."""
        said = self.messages if before is None else self.messages.filter(pk__lt=before)
        begin = said.filter(memory_begins=True).order_by("-pk").values_list("pk", flat=True).first()
        return said if begin is None else said.filter(pk__gte=begin)

    def tail(self) -> int | None:
        """The key of the last message, deleted or not: what comes next follows it."""
        from conversations.models.message import Message

        on_branch = Message.objects.filter(branch=self.branch.pk).order_by("-pk").values_list("pk", flat=True)
        return on_branch.first() or self.branch.fork_after_id
