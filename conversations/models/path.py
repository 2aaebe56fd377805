"""One way through a conversation, from its first message to the end of a branch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from django.db.models import BooleanField, Case, Q, Value, When

from conversations.models.branch import Branch
from conversations.models.conversation import Conversation
from conversations.models.message import Message, MessageQuerySet


@dataclass(frozen=True, slots=True)
class Path:
    """The messages that a person on a branch reads: the branch, and each of its ancestors up to the fork.

    `limits` maps a branch's key to its last message on the path, or to None if the path has all of the branch.
    """

    branch: Branch
    limits: Mapping[int, int | None]

    @classmethod
    def to(cls, branch: Branch) -> Self:
        """Takes at most two queries, however deep the branch lies."""
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

    @classmethod
    def through(cls, conversation: Conversation, branch_pk: int | None = None) -> Self:
        """Returns the path to a branch, by default the current one. Raises Branch.DoesNotExist."""
        is_current = branch_pk is None or branch_pk == conversation.branch_id
        branch = conversation.branch if is_current else conversation.branches.get(pk=branch_pk or 0)
        if branch is None:
            raise Branch.DoesNotExist
        branch.conversation = conversation
        return cls.to(branch)

    @property
    def conversation(self) -> Conversation:
        return self.branch.conversation

    def includes(self, branch_pk: int, message_pk: int) -> bool:
        if branch_pk not in self.limits:
            return False
        limit = self.limits[branch_pk]
        return limit is None or message_pk <= limit

    @property
    def messages(self) -> MessageQuerySet:
        """Without deleted ones, unordered."""
        return self.all_messages.filter(deleted_at=None)

    @property
    def all_messages(self) -> MessageQuerySet:
        """With deleted ones."""
        if len(self.limits) == 1:
            # Without the conversation, which PostgreSQL takes for a further restriction: it would read and sort all.
            return Message.objects.filter(branch=self.branch.pk)
        # A plain condition would mislead PostgreSQL in the same way. This one it reads along the index of the
        # conversation.
        parts = [
            When(branch=branch_pk, then=Value(True) if limit is None else Q(pk__lte=limit))
            for branch_pk, limit in self.limits.items()
        ]
        is_on_path = Case(*parts, default=Value(False), output_field=BooleanField())
        return Message.objects.filter(is_on_path, conversation=self.branch.conversation_id)

    def in_context(self, before: int | None = None) -> MessageQuerySet:
        """The messages in the context of models; with `before`, only those before the message with this key."""
        earlier = self.messages if before is None else self.messages.filter(pk__lt=before)
        begin = earlier.filter(memory_begins=True).order_by("-pk").values_list("pk", flat=True).first()
        return earlier if begin is None else earlier.filter(pk__gte=begin)

    def find_last_key(self) -> int | None:
        """Returns the key of the last message, even a deleted one, which the next message follows."""
        on_branch = Message.objects.filter(branch=self.branch.pk).order_by("-pk").values_list("pk", flat=True)
        return on_branch.first() or self.branch.fork_after_id
