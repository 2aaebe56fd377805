"""A conversation, the settings its next reply is asked with, and who takes part in it."""

from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models, transaction
from django.db.models import F
from django.utils.timezone import now

from accounts.models import User
from conversations.models.branch import Branch, Path
from conversations.models.deletion import final_before
from tools.models import Tool
from upstreams.chat import Effort
from upstreams.models import ChatModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conversations.models.attachment import Attachment
    from conversations.models.generation import Generation
    from conversations.models.message import Message

UNTITLED = "New conversation"
EFFORTS = [("", "Left to the model"), *((each.value, each.value) for each in Effort)]


class Thinking(models.TextChoices):
    """Whether the model thinks before it answers, and who says how much."""

    OFF = "", "Off"
    BUDGET = "budget", "On, with a budget"
    ADAPTIVE = "adaptive", "Adaptive: the model decides how much"


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, person: User | AnonymousUser) -> Self:
        """The only way in: conversations that the person takes part in and that are not deleted."""
        return self.of(person).filter(deleted_at=None)

    def owned_by(self, person: User | AnonymousUser) -> Self:
        return self.visible_to(person).with_owner(person)

    def with_owner(self, person: User | AnonymousUser) -> Self:
        owning = Participant.objects.filter(user=person.pk, role=Participant.Role.OWNER)
        return self.filter(participants__in=owning)

    def restorable_by(self, person: User | AnonymousUser) -> Self:
        """Those that the person owned and that are deleted, but not for good yet."""
        return self.of(person).with_owner(person).filter(deleted_at__gte=final_before())

    def of(self, person: User | AnonymousUser) -> Self:
        """Deleted ones included."""
        if not person.is_authenticated or not person.is_active:
            return self.none()
        return self.filter(participants__user=person)


class Conversation(models.Model):
    """People and models talking. `revision` counts every change that viewers have to hear of."""

    title = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=0, editable=False)
    branch = models.ForeignKey(Branch, models.SET_NULL, null=True, editable=False, related_name="+")

    chat_model = models.ForeignKey(ChatModel, models.SET_NULL, null=True, blank=True, related_name="+")
    system_prompt = models.TextField(blank=True)
    max_tokens = models.PositiveIntegerField(null=True, blank=True)
    temperature = models.FloatField(null=True, blank=True)
    top_p = models.FloatField(null=True, blank=True)
    top_k = models.PositiveIntegerField(null=True, blank=True)
    presence_penalty = models.FloatField(null=True, blank=True)
    frequency_penalty = models.FloatField(null=True, blank=True)
    stop_sequences = models.JSONField(default=list, blank=True)
    thinking = models.CharField(max_length=10, choices=Thinking, default=Thinking.OFF, blank=True)
    thinking_budget = models.PositiveIntegerField(null=True, blank=True)
    leaves_out_oldest = models.BooleanField("leave out the oldest turns", default=False)
    """Without asking, whenever the next turn would no longer fit."""
    reasoning_effort = models.CharField(max_length=10, choices=EFFORTS, blank=True)
    tools = models.ManyToManyField(Tool, blank=True, related_name="+")
    tool_choice = models.CharField(max_length=64, default="auto")
    """"auto", "any", "none", or the wire name of the tool that every answer begins with."""

    objects = ConversationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.title or UNTITLED

    def speaking_model(self) -> ChatModel | None:
        """The model that answers next: the chosen one while people may still use it, else the default."""
        offered = ChatModel.objects.offered()
        chosen = offered.filter(pk=self.chat_model_id).first() if self.chat_model_id else None
        return chosen or offered.first()

    def path(self, branch_pk: int | None = None) -> Path:
        """The way to a branch, by default the one last spoken on. Raises Branch.DoesNotExist."""
        if branch_pk is None or branch_pk == self.branch_id:
            assert self.branch is not None
            return Path.to(self.branch)
        return Path.to(self.branches.get(pk=branch_pk))

    @transaction.atomic
    def post_turn(
        self,
        path: Path,
        author: User,
        text: str,
        chat_model: ChatModel | None,
        key: UUID | None = None,
        attached: "Sequence[Attachment]" = (),
    ) -> "Generation":
        """A person speaks at the end of a path, and a reply is owed: returns the generation that will write it."""
        self.advance()
        said = self.add(path.branch, path.tail(), author=author, text=text, key=key, attached=attached)
        return self.owe_reply(path.branch, said, chat_model, author)

    @transaction.atomic
    def fork_at(self, message: "Message") -> Branch:
        """A branch that goes on where `message` did, so that another one can stand in its place."""
        self.advance()
        # Where the other versions now say that there is one more, they have changed too.
        self.messages.filter(parent=message.parent_id).update(revision=self.revision)
        before = message.parent
        return self.branches.create(parent=before.branch if before else None, fork_after=before)

    def add(
        self, branch: Branch, after: int | None, *, attached: "Sequence[Attachment]" = (), **said: Any
    ) -> "Message":
        """One message more at a branch's end, inside the caller's transaction, which has called `advance`.

        What is `attached` is the message's from now on; with a `text`, its blocks are put before it.
        """
        from conversations.models.message import Message, Role, text_block

        if (text := said.pop("text", None)) is not None:
            words = [text_block(text)] if text or not attached else []
            said |= {"role": Role.USER, "blocks": [*(each.reference for each in attached), *words]}
        said |= {"revision": self.revision, "shown_since": self.revision}
        message = Message.objects.create(conversation=self, branch=branch, parent_id=after, **said)
        for each in attached:
            each.conversation, each.message = self, message
            each.save()
        return message

    def owe_reply(
        self, branch: Branch, to: "Message | None", chat_model: ChatModel | None, asked_by: User | None
    ) -> "Generation":
        """An empty reply after `to` and its queued generation; the branch is now the one last spoken on."""
        from conversations.models.generation import Generation
        from conversations.models.message import Role

        reply = self.add(branch, to.pk if to else None, role=Role.ASSISTANT)
        Conversation.objects.filter(pk=self.pk).update(branch=branch, chat_model=chat_model)
        Participant.objects.filter(conversation=self).update(active_at=now())
        naming = Generation.naming(chat_model)
        return Generation.objects.create(conversation=self, message=reply, asked_by=asked_by, **naming)

    @transaction.atomic
    def rename(self, title: str) -> None:
        self.advance()
        self.title = title
        self.save(update_fields=["title"])

    def hold(self) -> None:
        """Lets nobody else change it until the caller's transaction ends."""
        Conversation.objects.select_for_update().values_list("pk").get(pk=self.pk)

    def advance(self) -> int:
        """Counts one more change and returns its number; holds the row until the caller's transaction ends."""
        Conversation.objects.filter(pk=self.pk).update(revision=F("revision") + 1)
        self.refresh_from_db(fields=["revision"])
        return self.revision


class Participant(models.Model):
    """Somebody's place in a conversation. `active_at` stands here too, so that a person's list is one index."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="participants")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="participations")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    active_at = models.DateTimeField("last turn", default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "user"], name="participant_once")]
        indexes = [models.Index(fields=["user", "-active_at", "-id"], name="participant_newest")]

    def __str__(self) -> str:
        return f"{self.user} in {self.conversation}"
