"""A conversation, the settings for its next reply, and its participants."""

from typing import Self

from django.contrib.auth.models import AnonymousUser
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.timezone import now

from accounts.models import User
from conversations.models.branch import Branch
from conversations.models.deletion import final_before
from tools.models import Tool
from upstreams.chat import Effort
from upstreams.events import MAX_TOKENS
from upstreams.models import ChatModel

UNTITLED = "New conversation"
AT_MOST_MAX_TOKENS = MaxValueValidator(MAX_TOKENS)
EFFORTS = [("", "Left to the model"), *((each.value, each.value) for each in Effort)]

PARAMETERS = (
    *("system_prompt", "max_tokens", "temperature", "top_p", "top_k"),
    *("presence_penalty", "frequency_penalty", "stop_sequences", "tool_choice"),
    *("thinking", "thinking_budget", "reasoning_effort", "leaves_out_oldest"),
)
"""The settings of a conversation beside its model and tools."""


class ThinkingMode(models.TextChoices):
    """Whether the model thinks before it answers, and how much."""

    DEFAULT = "", "Model default"
    OFF = "off", "Off"
    BUDGET = "budget", "On, with a budget"
    ADAPTIVE = "adaptive", "Adaptive: the model decides how much"


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, person: User | AnonymousUser) -> Self:
        """Conversations that the person takes part in and that are not deleted. Only restoring looks beyond these."""
        return self.of(person).filter(deleted_at=None)

    def owned_by(self, person: User | AnonymousUser) -> Self:
        return self.visible_to(person).with_owner(person)

    def with_owner(self, person: User | AnonymousUser) -> Self:
        owning = Participant.objects.filter(user=person.pk, role=Participant.Role.OWNER)
        return self.filter(participants__in=owning)

    def restorable_by(self, person: User | AnonymousUser) -> Self:
        """Deleted conversations that the person owned and can still restore."""
        return self.of(person).with_owner(person).filter(deleted_at__gte=final_before())

    def prepared_by(self, person: User) -> Self:
        """The conversation that the person has chosen settings for and not begun, if there is one."""
        return self.filter(prepared_by=person)

    def begun(self) -> Self:
        return self.filter(prepared_by=None)

    def of(self, person: User | AnonymousUser) -> Self:
        """All conversations that the person takes part in, deleted ones included."""
        if not person.is_authenticated or not person.is_active:
            return self.none()
        return self.filter(participants__user=person)


class Conversation(models.Model):
    """People and models talking. `revision` counts the changes that viewers need to see."""

    title = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=0, editable=False)
    branch = models.ForeignKey(Branch, models.SET_NULL, null=True, editable=False, related_name="+")

    prepared_by = models.OneToOneField(
        "accounts.User", models.CASCADE, null=True, editable=False, related_name="prepared_conversation"
    )
    """The person who has chosen settings before the first question. Until then, nobody takes part."""

    chat_model = models.ForeignKey(ChatModel, models.SET_NULL, null=True, blank=True, related_name="+")
    system_prompt = models.TextField(blank=True)
    max_tokens = models.PositiveIntegerField(null=True, blank=True, validators=[AT_MOST_MAX_TOKENS])
    temperature = models.FloatField(null=True, blank=True)
    top_p = models.FloatField(null=True, blank=True)
    top_k = models.PositiveIntegerField(null=True, blank=True, validators=[AT_MOST_MAX_TOKENS])
    presence_penalty = models.FloatField(null=True, blank=True)
    frequency_penalty = models.FloatField(null=True, blank=True)
    stop_sequences = models.JSONField(default=list, blank=True)
    thinking = models.CharField(max_length=10, choices=ThinkingMode, default=ThinkingMode.DEFAULT, blank=True)
    thinking_budget = models.PositiveIntegerField(null=True, blank=True, validators=[AT_MOST_MAX_TOKENS])
    leaves_out_oldest = models.BooleanField("leave out the oldest turns", default=False)
    """Applies whenever the next turn would not fit."""
    reasoning_effort = models.CharField(max_length=10, choices=EFFORTS, blank=True)
    tools = models.ManyToManyField(Tool, blank=True, related_name="+")
    tool_choice = models.CharField(max_length=64, default="auto")
    """"auto", "any", "none", or the wire name of the tool that every answer starts with."""

    objects = ConversationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["deleted_at"], condition=~Q(deleted_at=None), name="conversation_deleted")]

    def __str__(self) -> str:
        return self.title or UNTITLED

    @property
    def has_own_settings(self) -> bool:
        """Whether a setting differs from those of a new conversation. The model and the tools do not count."""
        fresh = Conversation()
        return any(getattr(self, name) != getattr(fresh, name) for name in PARAMETERS)

    def find_next_model(self) -> ChatModel | None:
        """Returns the model that answers next: the chosen one if it is still offered, else the default."""
        chosen = ChatModel.find_offered(self.chat_model_id) if self.chat_model_id else None
        return chosen or ChatModel.objects.default()

    @transaction.atomic
    def rename(self, title: str) -> None:
        self.advance(title=title)

    def lock(self) -> None:
        """Locks the conversation until the caller's transaction ends."""
        Conversation.objects.select_for_update().values_list("pk").get(pk=self.pk)

    def advance(self, **changes: object) -> int:
        """Increments the revision, saves `changes` to other fields with it, and returns the new revision.

        Locks the conversation until the caller's transaction ends. A change may be an expression, such as F("title"),
        which reads the field again.
        """
        for name, value in {**changes, "revision": F("revision") + 1}.items():
            setattr(self, name, value)
        self.save(update_fields=["revision", *changes])
        return self.revision


class Participant(models.Model):
    """A person's membership. It copies the time of the last turn, so that one index sorts a person's list."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="participants", db_index=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="participations", db_index=False)
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    active_at = models.DateTimeField("last turn", default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "user"], name="participant_once")]
        indexes = [models.Index(fields=["user", "-active_at", "-id"], name="participant_newest")]

    def __str__(self) -> str:
        return f"{self.user} in {self.conversation}"
